// Package djangotest makes databases of the older backend for tests: its four
// tables as Django made them, without the constraints that would keep ugly rows
// out, and rows of any number.
package djangotest

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// tables are those of the older backend.
const tables = `
	CREATE TABLE rideauth_user (
		id bigserial PRIMARY KEY, password varchar(128), last_login timestamptz, is_superuser boolean NOT NULL DEFAULT false,
		first_name varchar(150) NOT NULL DEFAULT '', last_name varchar(150) NOT NULL DEFAULT '', is_staff boolean NOT NULL DEFAULT false,
		is_active boolean NOT NULL DEFAULT true, date_joined timestamptz DEFAULT '2022-03-01 08:00:00+00', name text, email text, username text
	);
	CREATE TABLE ridecars_carpost (
		id bigserial PRIMARY KEY, car_name text, model text, version text, year text, engine text, fuel text, body text, transmission text,
		gear_number text, color text, seat_number text, door_number text, milleage text, power text, mpg text, description text,
		emission_standard text, location text, contact text, price text, user_id bigint, created_at timestamptz DEFAULT '2022-04-01 08:00:00+00'
	);
	CREATE TABLE rideposts_file (
		id bigserial PRIMARY KEY, post_id bigint, file varchar(100), original_file_name text, file_name varchar(255), file_type varchar(255),
		upload_finished_at timestamptz DEFAULT '2022-04-02 08:00:00+00'
	);
	CREATE TABLE ridecalc_calculatorentry (
		id bigserial PRIMARY KEY, user_id bigint, pub_date timestamptz DEFAULT '2022-05-01 08:00:00+00', app_income numeric(10, 2),
		commission numeric(10, 2), expenses numeric(10, 2), earnings numeric(10, 2)
	)`

// DB is a database of the older backend.
type DB struct {
	URL  string
	conn *pgx.Conn
}

// New makes the tables in the empty database at url.
func New(t testing.TB, url string) *DB {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	d := &DB{url, conn}
	d.Exec(t, tables)
	return d
}

// Exec runs statements.
func (d *DB) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := d.conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Text reads one value as text.
func (d *DB) Text(t testing.TB, sql string) string {
	t.Helper()
	var s string
	if err := d.conn.QueryRow(context.Background(), sql).Scan(&s); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// Hash is a password as Django keeps it, but for the number of its rounds.
func Hash(t testing.TB, pw string) string {
	t.Helper()
	const rounds = 260
	key, err := pbkdf2.Key(sha256.New, pw, []byte("NaCl"), rounds, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$NaCl$%s", rounds, base64.StdEncoding.EncodeToString(key))
}

// Fill adds rows of the usual kind: so many of each, with a photo for every
// second post, and one post in ten that has typed numbers.
func (d *DB) Fill(t testing.TB, users, posts, entries int) {
	t.Helper()
	d.Exec(t, `
		INSERT INTO rideauth_user (password, last_login, date_joined, name, email)
		SELECT 'pbkdf2_sha256$260000$NaCl$' || repeat('A', 43) || '=', timestamptz '2024-01-01' + n * interval '1 minute',
			timestamptz '2022-01-01' + n * interval '1 minute', 'Șofer ' || n, 'driver' || n || '@example.com'
		FROM generate_series(1, $1::int) n`, users)
	d.Exec(t, `
		INSERT INTO ridecars_carpost (car_name, model, version, year, engine, fuel, body, transmission, gear_number, color, seat_number,
			door_number, milleage, power, mpg, description, emission_standard, location, contact, price, user_id, created_at)
		SELECT (ARRAY['Dacia', 'Škoda', 'Toyota', 'Renault'])[1 + n % 4], (ARRAY['Logan', 'Octavia', 'Corolla', 'Mégane'])[1 + n % 4], '1.5 dCi',
			(2010 + n % 14)::text, '1461 cmc', 'Diesel', 'Sedan', 'Manuală', '5', 'Alb', '5', '4',
			CASE WHEN n % 10 = 0 THEN (80 + n % 90) || ' 000 km' ELSE (80000 + n % 90000)::text END, '90', '4.5',
			'Mașină bine întreținută, potrivită pentru Uber și Bolt, ideală în oraș. Se oferă cu toate actele la zi, numărul ' || n,
			'Euro 6', 'București', '0700 000 000', (200 + n % 200)::text, 1 + n % $2::int, timestamptz '2022-06-01' + n * interval '1 minute'
		FROM generate_series(1, $1::int) n`, posts, users)
	d.Exec(t, `
		INSERT INTO rideposts_file (post_id, file, original_file_name, file_name, file_type, upload_finished_at)
		SELECT n, 'files/' || md5(n::text) || '.jpg', 'IMG_' || n || '.jpg', md5(n::text) || '.jpg', 'image/jpeg', timestamptz '2022-06-02'
		FROM generate_series(1, $1::int) n WHERE n % 2 = 0`, posts)
	d.Exec(t, `
		INSERT INTO ridecalc_calculatorentry (user_id, pub_date, app_income, commission, expenses, earnings)
		SELECT 1 + n % $2::int, timestamptz '2022-07-01' + n * interval '1 minute', 300 + n % 40000 / 100.0, 25, n % 15000 / 100.0,
			round(300 + n % 40000 / 100.0 - (300 + n % 40000 / 100.0) * 0.25 - n % 15000 / 100.0)
		FROM generate_series(1, $1::int) n`, entries, users)
}
