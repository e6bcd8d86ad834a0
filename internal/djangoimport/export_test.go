package djangoimport

import "context"

// Exec runs a statement in the transaction that reads.
func Exec(ctx context.Context, s *Source, sql string) error {
	_, err := s.tx.Exec(ctx, sql)
	return err
}
