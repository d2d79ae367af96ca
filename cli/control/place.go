package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
)

// place is where the socket of a crawl file may stand: beside it, or in a folder
// of the user's alone, which is where it is when the first is too long a path, or
// in a file system that has no sockets.
type place struct {
	path   string
	folder string // the user's; empty: beside the crawl file
}

// resolve gives the path of a crawl file that all who mean it agree on.
func resolve(crawlFile string) (string, error) {
	path, err := filepath.Abs(crawlFile)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	// It may not be there, but its folder.
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, filepath.Base(path)), nil
}

// places are where the socket of a file may stand, the better one first.
func places(path, runtimeDir string) []place {
	var list []place
	if besideFile {
		list = append(list, place{path: path + ".sock"})
	}
	if runtimeDir != "" {
		sum := sha256.Sum256([]byte(path))
		folder := filepath.Join(runtimeDir, folderName())
		list = append(list, place{path: filepath.Join(folder, hex.EncodeToString(sum[:12])+".sock"), folder: folder})
	}
	return list
}

// placesToLook are those where another process of the user may have put it, too.
func placesToLook(path, runtimeDir string) []place {
	list := places(path, runtimeDir)
	if runtimeDir == "" {
		return list
	}
	for _, dir := range besides() {
		if last := places(path, dir); !slices.Contains(list, last[len(last)-1]) {
			list = append(list, last[len(last)-1])
		}
	}
	return list
}

// listen makes the socket, which nobody but the user can open at any time.
func (p place) listen() (*net.UnixListener, error) {
	if p.folder == "" {
		return p.listenBeside()
	}
	if err := makeFolder(p.folder); err != nil {
		return nil, err
	}
	if err := removeSocket(p.path); err != nil {
		return nil, err
	}
	l, err := bind(p.path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(p.path, 0o600); err != nil && besideFile {
		l.Close()
		_ = os.Remove(p.path)
		return nil, err
	}
	return l, nil
}

// listenBeside makes the socket in a new folder that is closed to others, and
// moves it from there: between being made and having its permissions set a socket
// is open to all that the umask lets in.
func (p place) listenBeside() (*net.UnixListener, error) {
	if err := checkSocket(p.path); err != nil {
		return nil, err
	}
	folder := p.path + ".new"
	inside := filepath.Join(folder, "s")
	if checkFolder(folder) == nil { // a crash has left it
		_ = os.Remove(inside)
		_ = os.Remove(folder)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	defer os.Remove(folder)
	l, err := bind(inside)
	if err != nil {
		return nil, err
	}
	if err = os.Chmod(inside, 0o600); err == nil {
		err = os.Rename(inside, p.path)
	}
	if err != nil {
		l.Close()
		_ = os.Remove(inside)
		return nil, err
	}
	return l, nil
}

func bind(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it may be another's by then
	return l, nil
}

// checkSocket tells whether a socket may be put there: what is no socket is not
// replaced.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = fmt.Errorf("%s is in the way: it is not a socket", path)
	}
	return err
}

// removeSocket removes the socket that a process has left behind.
func removeSocket(path string) error {
	if err := checkSocket(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeFolder makes the user's folder, or checks the one that is there.
func makeFolder(folder string) error {
	if err := mkdirOwn(folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkFolder(folder)
}

// checkFolder refuses a folder that is not the user's alone: who can write there
// could put another socket in the place of the crawl's.
func checkFolder(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	return checkOwn(folder, info)
}
