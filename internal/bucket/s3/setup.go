package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Prefixes are where the product's objects lie in a bucket that may hold others.
type Prefixes struct {
	Uploads string // what clients put, to be inspected
	Media   string // what is kept
}

// The states of a rule.
const (
	InPlace    = "in place"
	Missing    = "missing"
	Different  = "different"
	Unwanted   = "no longer wanted" // one of ours that goes; with Applied it has gone
	NotOffered = "not offered by this store"
)

// Change is one rule that the product needs, or no longer needs: how it is, and
// how it should be.
type Change struct {
	Rule    string
	State   string // as it was found
	Before  string // JSON; empty when there is none
	After   string // JSON; empty when there should be none
	Applied bool   // Before has become After, just now
}

// ours begins the names of our rules. All others are somebody else's, and stay
// as they are.
const ours = "ridecopilot-"

// Setup compares the bucket's rules with those that the product needs, and with
// apply makes them so. It can be run again at any time. No rule opens anything:
// the origins may only use permits that they were given.
func (b *Bucket) Setup(ctx context.Context, origins []string, p Prefixes, apply bool) ([]Change, error) {
	if p.Uploads == "" || p.Media == "" {
		return nil, errors.New("set up bucket: a rule without a prefix would be about objects of others")
	}
	if strings.HasPrefix(p.Media, p.Uploads) {
		return nil, errors.New("set up bucket: what is kept lies under the prefix of uploads, which end after two days")
	}
	if slices.ContainsFunc(origins, func(o string) bool { return strings.Contains(o, "*") }) {
		return nil, errors.New("set up bucket: origins have to be named one by one")
	}
	var all []Change
	for _, step := range []func(context.Context) ([]Change, error){
		func(ctx context.Context) ([]Change, error) { return b.setupCORS(ctx, origins, apply) },
		func(ctx context.Context) ([]Change, error) { return b.setupLifecycle(ctx, p, apply) },
		func(ctx context.Context) ([]Change, error) { return b.setupAccess(ctx, apply) },
	} {
		step := func() ([]Change, error) {
			ctx, cancel := context.WithTimeout(ctx, 2*callLimit) // one reads, one writes
			defer cancel()
			return step(ctx)
		}
		changes, err := step()
		all = append(all, changes...)
		if err != nil {
			return all, fmt.Errorf("set up bucket %s: %w", b.name, err)
		}
	}
	return all, nil
}

// setupCORS lets pages of our origins post and read. Without origins there is no
// such rule, and one from before goes.
func (b *Bucket) setupCORS(ctx context.Context, origins []string, apply bool) ([]Change, error) {
	want := types.CORSRule{
		ID:             aws.String(ours + "cors"),
		AllowedOrigins: origins,
		AllowedMethods: []string{"POST", "GET", "HEAD"},
		AllowedHeaders: []string{"*"},
		ExposeHeaders:  []string{"ETag"},
		MaxAgeSeconds:  aws.Int32(600),
	}
	var rules []types.CORSRule
	out, err := b.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &b.name})
	switch code, _ := answered(err); {
	case err == nil:
		rules = out.CORSRules
	case notOffered(err):
		return []Change{unoffered(*want.ID, want)}, nil
	case code != "NoSuchCORSConfiguration":
		return nil, fmt.Errorf("read CORS rules: %w", err)
	}
	if len(origins) == 0 {
		return b.dropCORS(ctx, rules, *want.ID, apply)
	}
	rules, changes := merge(rules, []types.CORSRule{want}, func(r types.CORSRule) *string { return r.ID })
	if !apply || settled(changes) {
		return changes, nil
	}
	_, err = b.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{
		Bucket: &b.name, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
	})
	return applied(changes, "write CORS rules", err)
}

// dropCORS takes our rule away.
func (b *Bucket) dropCORS(ctx context.Context, rules []types.CORSRule, id string, apply bool) ([]Change, error) {
	i := slices.IndexFunc(rules, func(r types.CORSRule) bool { return aws.ToString(r.ID) == id })
	if i < 0 {
		return nil, nil
	}
	changes := []Change{{Rule: id, State: Unwanted, Before: show(rules[i])}}
	if !apply {
		return changes, nil
	}
	rules = slices.Delete(rules, i, i+1)
	var err error
	if len(rules) == 0 { // a list of none is refused
		_, err = b.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &b.name})
	} else {
		_, err = b.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &b.name, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
	}
	return applied(changes, "remove the CORS rule", err)
}

// setupLifecycle makes the store tidy up what the product would have removed
// long before: uploads nobody finished, and versions of what was deleted.
func (b *Bucket) setupLifecycle(ctx context.Context, p Prefixes, apply bool) ([]Change, error) {
	rule := func(name, prefix string, e types.LifecycleExpiration) types.LifecycleRule {
		return types.LifecycleRule{
			ID:                             aws.String(ours + name),
			Status:                         types.ExpirationStatusEnabled,
			Filter:                         &types.LifecycleRuleFilter{Prefix: &prefix},
			Expiration:                     &e,
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
			NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)},
		}
	}
	want := []types.LifecycleRule{
		// A rule with days removes markers of deletion as well.
		rule("uploads", p.Uploads, types.LifecycleExpiration{Days: aws.Int32(2)}),
		rule("media", p.Media, types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}),
	}
	var rules []types.LifecycleRule
	var smallest types.TransitionDefaultMinimumObjectSize
	out, err := b.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.name})
	switch code, _ := answered(err); {
	case err == nil:
		rules, smallest = out.Rules, out.TransitionDefaultMinimumObjectSize
	case notOffered(err):
		return []Change{unoffered(*want[0].ID, want[0]), unoffered(*want[1].ID, want[1])}, nil
	case code != "NoSuchLifecycleConfiguration":
		return nil, fmt.Errorf("read lifecycle rules: %w", err)
	}
	// Old rules name their prefix in a way that S3 does not take beside new ones.
	// The new way means the same.
	for i := range rules {
		if r := &rules[i]; r.Filter == nil && r.Prefix != nil { //nolint:staticcheck // it is there in old rules
			r.Filter, r.Prefix = &types.LifecycleRuleFilter{Prefix: r.Prefix}, nil //nolint:staticcheck // see above
		}
	}
	rules, changes := merge(rules, want, func(r types.LifecycleRule) *string { return r.ID })
	if !apply || settled(changes) {
		return changes, nil
	}
	_, err = b.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                             &b.name,
		LifecycleConfiguration:             &types.BucketLifecycleConfiguration{Rules: rules},
		TransitionDefaultMinimumObjectSize: smallest,
	})
	return applied(changes, "write lifecycle rules", err)
}

// setupAccess closes the bucket to everybody without a signature.
func (b *Bucket) setupAccess(ctx context.Context, apply bool) ([]Change, error) {
	want := types.PublicAccessBlockConfiguration{
		BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true),
		IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
	}
	c := Change{Rule: "public access block", State: Missing, After: show(want)}
	out, err := b.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.name})
	switch code, _ := answered(err); {
	case err == nil && out.PublicAccessBlockConfiguration != nil:
		c.Before = show(*out.PublicAccessBlockConfiguration)
		c.State = Different
		if c.Before == c.After {
			c.State = InPlace
		}
	case err == nil, code == "NoSuchPublicAccessBlockConfiguration":
	case notOffered(err):
		return []Change{unoffered(c.Rule, want)}, nil
	default:
		return nil, fmt.Errorf("read public access block: %w", err)
	}
	changes := []Change{c}
	if !apply || settled(changes) {
		return changes, nil
	}
	_, err = b.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &b.name, PublicAccessBlockConfiguration: &want,
	})
	return applied(changes, "write public access block", err)
}

// merge puts the rules that we want in the place of ours with the same name, or
// behind the others, and tells what that changes.
func merge[R any](have, want []R, id func(R) *string) ([]R, []Change) {
	have = slices.Clone(have)
	var changes []Change
	for _, w := range want {
		c := Change{Rule: *id(w), State: Missing, After: show(w)}
		i := slices.IndexFunc(have, func(h R) bool { return aws.ToString(id(h)) == *id(w) })
		if i < 0 {
			have = append(have, w)
		} else {
			c.Before, c.State = show(have[i]), Different
			if c.Before == c.After {
				c.State = InPlace
			}
			have[i] = w
		}
		changes = append(changes, c)
	}
	return have, changes
}

func settled(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool { return c.State != InPlace })
}

// applied marks what was written or removed.
func applied(changes []Change, doing string, err error) ([]Change, error) {
	if notOffered(err) {
		for i := range changes {
			changes[i].State = NotOffered
		}
		return changes, nil
	}
	if err != nil {
		return changes, fmt.Errorf("%s: %w", doing, err)
	}
	for i := range changes {
		changes[i].Applied = changes[i].State != InPlace
	}
	return changes, nil
}

func unoffered(rule string, want any) Change {
	return Change{Rule: rule, State: NotOffered, After: show(want)}
}

// show writes a rule as JSON, without what it does not say, and with its lists
// sorted: their order means nothing, and stores change it.
func show(rule any) string {
	text, err := json.Marshal(plain(reflect.ValueOf(rule)))
	if err != nil {
		return fmt.Sprint(rule) // it is made of maps, lists and texts: not reached
	}
	return string(text)
}

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			if t := v.Type().Field(i); t.IsExported() && !v.Field(i).IsZero() {
				fields[t.Name] = plain(v.Field(i))
			}
		}
		return fields
	case reflect.Slice:
		var list []string
		for i := range v.Len() {
			list = append(list, fmt.Sprint(plain(v.Index(i))))
		}
		slices.Sort(list)
		return list
	default:
		return v.Interface()
	}
}
