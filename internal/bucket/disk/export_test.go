package disk

import "os"

// Writer is what the bytes of an object go through.
type Writer = writer

// WrapWrites puts a writer of the test between the bucket and its files.
func (b *Bucket) WrapWrites(wrap func(*os.File) Writer) { b.wrap = wrap }
