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

// ErrRoleRights answers a role that has rights which nobody can take from it here.
var ErrRoleRights = fault.New(fault.Conflict, "The role that serves must be an ordinary one: no superuser, and no member of the role that migrates.")

// GrantServing lets a role of PostgreSQL serve: read and write rows, and not change
// the schema (promise P7). It makes the role if it is not there, without a password;
// on Amazon RDS it may sign in by IAM. Other rights that it had in the schema are
// taken away. Whoever calls it owns the schema. It may run again after every
// migration, and must where another than the owner has migrated.
func (s *Store) GrantServing(ctx context.Context, role string) error {
	if s.Engine() != postgresDialect.name {
		return fault.New(fault.Invalid, "SQLite has no roles.")
	}
	if !roleName.MatchString(role) || strings.HasPrefix(role, "pg_") || strings.HasPrefix(role, "rds") {
		return ErrRoleName
	}
	return s.inTx(ctx, onDesk, func(tx *txn) error {
		var there, rds, itself, mighty bool
		var database, schema string
		err := tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'rds_iam'),
				current_user = $1, current_database(), current_schema(), EXISTS (SELECT 1 FROM pg_roles
					WHERE rolname = $1 AND (rolsuper OR pg_has_role(oid, (SELECT oid FROM pg_roles WHERE rolname = current_user), 'MEMBER')))`,
			role).Scan(&there, &rds, &itself, &database, &schema, &mighty)
		switch {
		case err != nil:
			return err
		case itself:
			return fault.New(fault.Conflict, "The role that serves must be another than the one that migrates.")
		case mighty:
			return ErrRoleRights
		}
		var statements []string
		if !there {
			statements = append(statements, `CREATE ROLE {role} LOGIN`)
		}
		if rds {
			statements = append(statements, `GRANT rds_iam TO {role}`)
		}
		statements = append(statements,
			`REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}`,
			`REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}`,
			`REVOKE ALL ON SCHEMA {schema} FROM {role}`,
			`GRANT CONNECT ON DATABASE {database} TO {role}`,
			`GRANT USAGE ON SCHEMA {schema} TO {role}`,
			`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}`,
			`GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}`,
			`ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}`,
			`ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}`,
			// What the schema is, only the one that migrates says.
			`REVOKE INSERT, UPDATE, DELETE ON `+gooseTable+`, river_migration FROM {role}`,
		)
		quoted := strings.NewReplacer("{role}", pgx.Identifier{role}.Sanitize(), "{schema}", pgx.Identifier{schema}.Sanitize(),
			"{database}", pgx.Identifier{database}.Sanitize())
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, quoted.Replace(statement)); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}
