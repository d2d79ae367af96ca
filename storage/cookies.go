package storage

import bolt "go.etcd.io/bbolt"

// Cookies are what is kept of the cookies of a site: a value that only package
// fetch can read. An empty one says that the site has none any more.
type Cookies struct {
	Site  string
	Value []byte
}

func putCookies(tx *bolt.Tx, changed []Cookies) error {
	for _, c := range changed {
		bucket, err := tx.CreateBucketIfNotExists(bucketCookies)
		if err != nil {
			return err
		}
		if len(c.Value) == 0 {
			err = bucket.Delete([]byte(c.Site))
		} else {
			err = bucket.Put([]byte(c.Site), c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// EachCookies calls do for every site that has cookies, with bytes that are
// valid during the call.
func (r *Reader) EachCookies(do func(site string, value []byte) error) error {
	r.ours = true
	var cursor *bolt.Cursor
	if bucket := r.tx.Bucket(bucketCookies); bucket != nil {
		cursor = bucket.Cursor()
	}
	if cursor == nil {
		r.ours = false
		return nil
	}
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if value = r.plausible(value); value == nil {
			continue
		}
		r.ours = false
		err := do(string(key), value)
		if err != nil {
			return err
		}
		r.ours = true
	}
	r.ours = false
	return nil
}
