package control

import (
	"fmt"
	"io/fs"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// besideFile: a socket takes its permissions from the folder, so it stands in one
// that is the user's alone.
const besideFile = false

func folderName() string { return "pawl" }

// user is the user's security identifier.
func user() (*windows.SID, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	return u.User.Sid, nil
}

// mkdirOwn makes a folder that only the user and the system can enter, as all that
// is made in it.
func mkdirOwn(folder string) error {
	sid, err := user()
	if err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf("O:%[1]sD:P(A;OICI;FA;;;%[1]s)(A;OICI;FA;;;SY)", sid))
	if err != nil {
		return err
	}
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return windows.CreateDirectory(path, sa)
}

// checkOwn checks who owns the folder, which is the user only if pawl made it:
// others cannot give theirs away.
func checkOwn(folder string, _ fs.FileInfo) error {
	sid, err := user()
	if err != nil {
		return err
	}
	sd, err := windows.GetNamedSecurityInfo(folder, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	if !owner.Equals(sid) {
		return fmt.Errorf("%s belongs to another user", folder)
	}
	return nil
}

func besides() []string { return nil }

func ownerOf(string) int { return -1 }

func fileID(string) string { return "" }

func samePath(a, b string) bool { return strings.EqualFold(a, b) }
