package storage

import bolt "go.etcd.io/bbolt"

// Side is what a crawl keeps beside the log, because it follows from no event
// and nothing is folded from it. Each kind has a bucket of its own.
type Side uint8

const (
	SideCookies   Side = iota // cookies, by site
	SideTraps                 // what is counted to find traps, by host
	SidePositions             // how far files outside of the crawl file are written, by file
	sides
)

var sideBuckets = [sides][]byte{[]byte("cookies"), []byte("traps"), []byte("positions")}

// SideValue is a value to be kept, which only the package that made it can
// read. An empty one deletes what was kept.
type SideValue struct {
	Side  Side
	Key   string
	Value []byte
}

func putSide(tx *bolt.Tx, changed []SideValue) error {
	for i := range changed {
		v := &changed[i]
		bucket, err := tx.CreateBucketIfNotExists(sideBuckets[v.Side])
		if err != nil {
			return err
		}
		if len(v.Value) == 0 {
			err = bucket.Delete([]byte(v.Key))
		} else {
			err = bucket.Put([]byte(v.Key), v.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// EachSide calls do for every value that is kept, with bytes that are valid
// during the call. They have no checksum.
func (r *Reader) EachSide(side Side, do func(key string, value []byte) error) error {
	r.ours = true
	bucket := r.tx.Bucket(sideBuckets[side])
	if bucket == nil {
		r.ours = false
		return nil
	}
	cursor := bucket.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		value = r.plausible(value)
		r.ours = false
		if err := do(string(key), value); err != nil {
			return err
		}
		r.ours = true
	}
	r.ours = false
	return nil
}
