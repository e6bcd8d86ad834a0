package s3_test

import (
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
)

// TestBucket runs the suite of all buckets: U2, U3, U5, U9, U10, U11, D13.
func TestBucket(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) buckettest.Bucket { return buckettest.NewS3(t) })
}
