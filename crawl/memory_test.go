package crawl

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
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
}

func TestHeapIsBoundedWhileItIsLarge(t *testing.T) {
	old := debug.SetGCPercent(usualGC)
	defer debug.SetGCPercent(old)
	synctest.Test(t, func(t *testing.T) {
		ballast := make([]byte, 3*headRoom)
		stop := BoundHeap()
		runtime.GC()
		time.Sleep(2 * weighPeriod)
		during := debug.SetGCPercent(usualGC)
		runtime.KeepAlive(ballast)
		stop()
		if during >= 50 || during < leastGC {
			t.Errorf("GOGC is %d with %d MB live", during, len(ballast)>>20)
		}
		if after := debug.SetGCPercent(usualGC); after != usualGC {
			t.Errorf("GOGC is %d afterwards", after)
		}
	})
}
