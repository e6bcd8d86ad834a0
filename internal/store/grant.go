package store

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

var roleName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// ErrRoleName answers a name that no role of ours has.
var ErrRoleName = fault.New(fault.Invalid, "A role is named in small letters, digits and underscores.")

// GrantServing lets a role of PostgreSQL serve: read and write rows, and not change
// the schema (promise P7). It makes the role if it is not there, without a password;
// on Amazon RDS it may sign in by IAM. Whoever calls it owns the schema. It may run
// again after every migration, and must where another than the owner has migrated.
func (s *Store) GrantServing(ctx context.Context, role string) error {
	if s.Engine() != postgresDialect.name {
		return fault.New(fault.Invalid, "SQLite has no roles.")
	}
	if !roleName.MatchString(role) {
		return ErrRoleName
	}
	name := pgx.Identifier{role}.Sanitize()
	return s.inTx(ctx, func(tx *txn) error {
		var there, rds, itself bool
		var database string
		err := tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'rds_iam'),
				current_user = $1, current_database()`, role).Scan(&there, &rds, &itself, &database)
		if err != nil {
			return err
		}
		if itself {
			return fault.New(fault.Conflict, "The role that serves must be another than the one that migrates.")
		}
		var statements []string
		if !there {
			statements = append(statements, `CREATE ROLE {role} LOGIN`)
		}
		if rds {
			statements = append(statements, `GRANT rds_iam TO {role}`)
		}
		statements = append(statements,
			`GRANT CONNECT ON DATABASE `+pgx.Identifier{database}.Sanitize()+` TO {role}`,
			`GRANT USAGE ON SCHEMA public TO {role}`,
			`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}`,
			`GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}`,
			`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}`,
			`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}`,
			// What the schema is, only the one that migrates says.
			`REVOKE INSERT, UPDATE, DELETE ON `+gooseTable+`, river_migration FROM {role}`,
		)
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, strings.ReplaceAll(statement, "{role}", name)); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}
