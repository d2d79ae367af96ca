package crawl

import (
	"runtime/debug"
	"testing"
)

func TestHeadRoomIsBounded(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 100},
		{4 << 20, 100},
		{64 << 20, 100},
		{128 << 20, 50},
		{200 << 20, 32},
		{4 << 30, 15},
	} {
		if got := gcPercent(c.live); got != c.want {
			t.Errorf("%d MB live: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}

func TestHeapSettingOfTheUserStays(t *testing.T) {
	old := debug.SetGCPercent(300)
	defer debug.SetGCPercent(old)
	BoundHeap()()
	if got := debug.SetGCPercent(300); got != 300 {
		t.Errorf("GOGC is %d, want 300", got)
	}
	debug.SetGCPercent(usualGC)
	stop := BoundHeap()
	stop()
	if got := debug.SetGCPercent(usualGC); got != usualGC {
		t.Errorf("GOGC is %d afterwards", got)
	}
}
