package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// Permission lets the members of a group do something with a kind of thing.
type Permission struct{ Resource, Action string }

// String is the permission as groups list it: "posts:view".
func (p Permission) String() string { return p.Resource + ":" + p.Action }

// ParsePermission reads what String writes; ok is false for what is no permission.
func ParsePermission(s string) (p Permission, ok bool) {
	resource, action, _ := strings.Cut(s, ":")
	return Permission{resource, action}, slices.Contains(Resources, resource) && slices.Contains(Actions, action)
}

// Resources and Actions are what permissions can name.
var (
	Resources = []string{"users", "settings", "posts", "uploads", "reports", "entries", "documents", "sessions", "groups", "mails", "history"}
	Actions   = []string{"view", "add", "change", "delete"}
)

// GroupDetails are what superusers edit of a group.
type GroupDetails struct {
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"` // sorted, "resource:action"
}

// Group is operators who may do the same.
type Group struct {
	GroupDetails
	ID        int64
	Members   int
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64
}

// Permissions are what an operator may do: everything for a superuser.
type Permissions struct {
	all  bool
	some map[Permission]bool
}

// May tells whether the operator may do action with things of the kind resource.
func (p Permissions) May(action, resource string) bool {
	return p.all || p.some[Permission{resource, action}]
}

// Permissions reads what the user may do in the admin site. They are read anew
// for each request, so that a change of a group counts at once (promise Z6).
func (s *Service) Permissions(ctx context.Context, u User) (Permissions, error) {
	if !u.Active || !u.operator() {
		return Permissions{}, nil
	}
	if u.Superuser {
		return Permissions{all: true}, nil
	}
	list, err := s.store.Permissions(ctx, u.ID)
	if err != nil {
		return Permissions{}, err
	}
	p := Permissions{some: make(map[Permission]bool, len(list))}
	for _, one := range list {
		p.some[one] = true
	}
	return p, nil
}

// Group reads a group.
func (s *Service) Group(ctx context.Context, by Actor, id int64) (Group, error) {
	if !by.Manages {
		return Group{}, ErrGroupNotFound
	}
	return s.store.Group(ctx, id)
}

// Groups lists all groups by name.
func (s *Service) Groups(ctx context.Context, by Actor) ([]Group, error) {
	if !by.Manages {
		return nil, errNotOperator
	}
	list, err := s.store.Groups(ctx)
	slices.SortStableFunc(list, func(a, b Group) int { return strings.Compare(text.Fold(a.Name), text.Fold(b.Name)) })
	return list, err
}

// CreateGroup makes a group without members, which only a superuser may, as with
// every change of groups: whoever could change one could let themselves do
// anything. bad is what the caller already knows to be wrong.
func (s *Service) CreateGroup(ctx context.Context, by Actor, d GroupDetails, bad fault.Fields) (Group, error) {
	if err := changesGroups(by); err != nil {
		return Group{}, err
	}
	d.validate(&bad)
	if err := bad.Err(); err != nil {
		return Group{}, err
	}
	now := s.now()
	g, err := s.store.CreateGroup(ctx, by, Group{GroupDetails: d, CreatedAt: now, UpdatedAt: now, Version: 1})
	s.acted(ctx, by, "group_created", g.ID, err)
	return g, err
}

func changesGroups(by Actor) error {
	switch {
	case !by.Manages:
		return errNotOperator
	case !by.Superuser:
		return errSuperuser
	}
	return nil
}

// ReviseGroup changes a group: change edits the details, maybe more than once,
// and returns what it could not read.
func (s *Service) ReviseGroup(ctx context.Context, by Actor, id int64, match Match, change func(*GroupDetails) fault.Fields) (Group, error) {
	if err := changesGroups(by); err != nil {
		return Group{}, err
	}
	g, err := s.store.UpdateGroup(ctx, by, id, func(g *Group) error {
		if err := match.Check(g.Version, g.GroupDetails); err != nil {
			return err
		}
		bad := change(&g.GroupDetails)
		g.validate(&bad)
		g.UpdatedAt = s.now()
		return bad.Err()
	})
	s.acted(ctx, by, "group_revised", id, err)
	return g, err
}

// DeleteGroup removes a group; its members may no longer do what it let them.
func (s *Service) DeleteGroup(ctx context.Context, by Actor, id int64, match Match) error {
	if err := changesGroups(by); err != nil {
		return err
	}
	err := s.store.DeleteGroup(ctx, by, id, s.now(), func(g Group) error { return match.Check(g.Version, g.GroupDetails) })
	s.acted(ctx, by, "group_deleted", id, err)
	return err
}

// validate notes what is wrong with a group and brings its permissions in order.
func (d *GroupDetails) validate(bad *fault.Fields) {
	d.Name = checkName(d.Name, bad)
	list := append([]string{}, d.Permissions...)
	slices.Sort(list)
	d.Permissions = slices.Compact(list)
	for _, p := range d.Permissions {
		if _, ok := ParsePermission(p); !ok && !bad.Has("permissions") {
			bad.Add("permissions", "invalid_choice", quote(p)+" is not a permission, such as posts:view.")
		}
	}
}
