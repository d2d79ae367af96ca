package crawl

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestMemoryThatTheSystemAllows(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"another system", nil, 0},
		{"nothing said", map[string]string{"proc/self/cgroup": "0::/\n"}, 0},
		{"a group of its own", map[string]string{
			"proc/self/cgroup": "0::/user.slice/pawl.scope\n",
			"sys/fs/cgroup/user.slice/pawl.scope/memory.max": "268435456\n",
		}, 256 << 20},
		{"less for the group above", map[string]string{
			"proc/self/cgroup": "0::/user.slice/pawl.scope\n",
			"sys/fs/cgroup/user.slice/pawl.scope/memory.max": "268435456\n",
			"sys/fs/cgroup/user.slice/memory.max":            "134217728\n",
		}, 128 << 20},
		{"less from where it is slowed down", map[string]string{
			"proc/self/cgroup":            "0::/a\n",
			"sys/fs/cgroup/a/memory.max":  "268435456\n",
			"sys/fs/cgroup/a/memory.high": "200000000\n",
		}, 200_000_000},
		{"no bound", map[string]string{
			"proc/self/cgroup":           "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n",
		}, 0},
		{"a container that sees itself as the root", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		{"a container that sees where it stands outside", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/0123abc\n3:cpuset:/\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}, 512 << 20},
		{"the first version, with others", map[string]string{
			"proc/self/cgroup": "5:cpu,memory:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
		}, 1 << 30},
		{"the first version without bound", map[string]string{
			"proc/self/cgroup":                           "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0},
		{"nonsense", map[string]string{
			"proc/self/cgroup":             "\n:\n::\n0:\n0::\n0::../../..\n0::/a:b\n",
			"sys/fs/cgroup/memory.max":     "-1\n",
			"sys/fs/cgroup/a:b/memory.max": "many",
		}, 0},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text), Mode: fs.ModePerm}
		}
		if got := groupMemory(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
