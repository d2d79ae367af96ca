package storage

import "fmt"

// Lane says which jobs of a host go before others: those of the high lane
// before the normal ones, and those of the low lane last. The numbers are
// stored: append only.
type Lane uint8

const (
	LaneNormal Lane = iota
	LaneHigh
	LaneLow
	lanes
)

var laneNames = [lanes]string{"normal", "high", "low"}

func (l Lane) String() string { return name(laneNames[:], int(l), "lane") }

// ParseLane is the inverse of Lane.String; ok is false for an unknown name.
func ParseLane(s string) (l Lane, ok bool) {
	for i, n := range laneNames {
		if n == s {
			return Lane(i), true
		}
	}
	return 0, false
}

// The flags of links and seeds events hold the lane of their links in two bits.
const (
	laneShift = 3
	laneMask  = 3
)

// laneFlags is the lane of all the links as flags. It panics rather than
// write an event that would come back otherwise.
func laneFlags(links []Link) byte {
	if len(links) == 0 {
		return 0
	}
	lane := links[0].Lane
	for i := range links {
		if l := links[i].Lane; l != lane || l >= lanes {
			panic(fmt.Sprintf("storage: an event with links of the lanes %v and %v", lane, l))
		}
	}
	return byte(lane) << laneShift
}

// lane is the inverse of laneFlags.
func (r *reader) lane(flags byte) Lane {
	lane := Lane(flags >> laneShift & laneMask)
	if lane >= lanes {
		r.fail("links of an unknown lane")
		return LaneNormal
	}
	return lane
}
