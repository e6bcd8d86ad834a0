package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Sender is how mails leave.
type Sender interface {
	Send(ctx context.Context, m mail.Message) error
}

// Accounts is what the jobs need of people and their outbox.
type Accounts interface {
	PrepareMail(ctx context.Context, id int64) (out account.Outgoing, ok bool, err error)
	MailDone(ctx context.Context, id int64, state, problem string) error
	Purge(ctx context.Context) (int64, error)
}

// Documents is what the jobs need of documents.
type Documents interface {
	SendReminders(ctx context.Context) (int, error)
	Reminding(ctx context.Context, owner, id int64) (document.Document, error)
}

// Listings is what the jobs need of car posts.
type Listings interface {
	Post(ctx context.Context, by account.Actor, id int64) (listing.Post, error)
}

// Media is what the jobs need of photos and files.
type Media interface {
	Process(ctx context.Context, job media.Process) error
	GiveUp(ctx context.Context, uploadID int64) error
	Reencode(ctx context.Context) (int, error)
	Purge(ctx context.Context) (int, error)
	DropUnfinished(ctx context.Context) (int, error)
	Requeue(ctx context.Context) (int, error)
	Check(ctx context.Context, o media.CheckOptions) (media.Report, error)
}

// Erasures is what the jobs need of the list of erased accounts.
type Erasures interface {
	NoteErasures(ctx context.Context) error
	EraseAgain(ctx context.Context, dry bool) (int, error)
}

// Options are what a Runner works with.
type Options struct {
	DB        DB
	Accounts  Accounts
	Documents Documents
	Listings  Listings
	Media     Media
	Erasures  Erasures
	Sender    Sender
	PublicURL *url.URL // what links in mails are built from (promise T10)
	Log       *slog.Logger
	// Oldest tells since when the job has waited that should have been worked first;
	// nil when none is due. Check asks it; without it Check knows no age.
	Oldest   func(ctx context.Context, at time.Time) (*time.Time, error)
	Workers  int           // jobs at once; 0 is 4
	SoftStop time.Duration // how long running jobs may go on when stopping; 0 is 10 s
	Now      func() time.Time

	Middleware []rivertype.Middleware // around the work of each job; sees no panic
}

// The times of jobs.
const (
	jobTimeout    = 2 * time.Minute
	rescueAfter   = 5 * time.Minute // a job that a dead worker held runs again (promise D11)
	duePatience   = 5 * time.Minute // a job that is due for longer is a failure of the jobs as a whole
	mailAttempts  = 12              // over about 16 hours, by River's growing pauses
	imageAttempts = 12              // at what is not the storage's fault
	imagePause    = 20 * time.Second
	slowAttempts  = 5
	clockAttempts = 25              // at a job of the clock that fails; then the clock makes the next one
	clockPause    = 5 * time.Minute // between them at most
	// killedAttempts are those that a job of the clock has left for kills of its process,
	// so that none is ever discarded: the alarm for that is about a person's work.
	killedAttempts = 10
	removeEvery    = time.Minute
	compareAt      = 3*time.Hour + 17*time.Minute // of the day, in UTC
	compareTime    = 4 * time.Hour
	reencodeEvery  = 10 * time.Minute // and at the start of a server: right after an import
	reencodeTime   = time.Hour        // of one run
	remindEvery    = 5 * time.Minute
	purgeEvery     = time.Hour
	defaultWorker  = 4
	imageWorkers   = 2
)

// Runner works the jobs of a database. Many of them may run on one PostgreSQL.
type Runner struct {
	o       Options
	start   func(context.Context) error
	stop    func(context.Context) error
	running atomic.Bool
	waited  atomic.Int64 // how long the oldest due job has waited, as Check has seen it; -1: not known
}

// NewRunner returns a Runner that has not started.
func NewRunner(o Options) (*Runner, error) {
	if o.Workers == 0 {
		o.Workers = defaultWorker
	}
	if o.SoftStop == 0 {
		o.SoftStop = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Runner{o: o}
	r.waited.Store(-1)
	workers := river.NewWorkers()
	for _, err := range []error{
		river.AddWorkerSafely(workers, &mailWorker{r: r}),
		river.AddWorkerSafely(workers, &remindWorker{r: r}),
		river.AddWorkerSafely(workers, &purgeWorker{r: r}),
		river.AddWorkerSafely(workers, &processWorker{r: r}),
		river.AddWorkerSafely(workers, &reencodeWorker{r: r}),
		river.AddWorkerSafely(workers, &removeWorker{r: r}),
		river.AddWorkerSafely(workers, &compareWorker{r: r}),
	} {
		if err != nil {
			return nil, fmt.Errorf("register job: %w", err)
		}
	}
	c := &river.Config{
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.Workers}, imageQueue: {MaxWorkers: imageWorkers}},
		Workers:              workers,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: rescueAfter,
		SoftStopTimeout:      o.SoftStop,
		ReindexerSchedule:    river.NeverSchedule(), // it takes the owner of the indexes, who only migrates (promise P7)
		ErrorHandler:         failures{o.Log},
		RetryPolicy:          pauses{},
		Middleware:           append(slices.Clone(o.Middleware), river.WorkerMiddlewareFunc(handOver), river.WorkerMiddlewareFunc(failures{o.Log}.guard)),
		// River tells of its every step; only what needs a person is told here.
		Logger: slog.New(leveled{o.Log.Handler(), slog.LevelWarn}),
		PeriodicJobs: []*river.PeriodicJob{
			periodic(remindEvery, remindDocuments{}),
			periodic(purgeEvery, purgeExpired{}),
			periodic(removeEvery, media.PurgeObjects{}),
			periodic(reencodeEvery, reencodePhotos{}),
			river.NewPeriodicJob(daily(compareAt), once(compareStorage{}), nil),
		},
	}
	if o.DB.Postgres != nil {
		client, err := river.NewClient(riverpgxv5.New(o.DB.Postgres), c)
		if err != nil {
			return nil, fmt.Errorf("make the job runner: %w", err)
		}
		r.start, r.stop = lifecycle[pgx.Tx](client)
	} else {
		client, err := river.NewClient(riversqlite.New(o.DB.SQLite), c)
		if err != nil {
			return nil, fmt.Errorf("make the job runner: %w", err)
		}
		r.start, r.stop = lifecycle[*sql.Tx](client)
	}
	return r, nil
}

func lifecycle[T any](c *river.Client[T]) (start, stop func(context.Context) error) {
	return c.Start, c.Stop
}

func periodic(every time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(every), once(args), &river.PeriodicJobOpts{RunOnStart: true})
}

// once makes a job that runs by the clock one at a time: a run that takes longer
// than the pause is not overtaken.
func once(args river.JobArgs) river.PeriodicJobConstructor {
	return func() (river.JobArgs, *river.InsertOpts) {
		return args, &river.InsertOpts{MaxAttempts: clockAttempts + killedAttempts, UniqueOpts: river.UniqueOpts{ByState: unfinished}}
	}
}

// byClock are the kinds of jobs that the clock makes again and again. They keep
// nothing in their rows: the next one does what one has left.
var byClock = map[string]bool{
	remindDocuments{}.Kind(): true, purgeExpired{}.Kind(): true, media.PurgeObjects{}.Kind(): true, reencodePhotos{}.Kind(): true, compareStorage{}.Kind(): true,
}

// pauses are River's growing ones between the attempts at a job, bounded for jobs of
// the clock.
type pauses struct{ river.DefaultClientRetryPolicy }

// NextRetry is when a job that failed, or whose process was killed, runs again.
func (p pauses) NextRetry(job *rivertype.JobRow) time.Time {
	at := p.DefaultClientRetryPolicy.NextRetry(job)
	if latest := time.Now().UTC().Add(clockPause); byClock[job.Kind] && at.After(latest) {
		return latest
	}
	return at
}

// handOver ends a job of the clock that has failed clockAttempts times, so that
// the clock makes the next one. Its row keeps the error, and is not discarded:
// nothing is lost with it.
func handOver(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	err := work(ctx)
	if err != nil && byClock[job.Kind] && job.Attempt >= clockAttempts {
		return river.JobCancel(err)
	}
	return err
}

// daily is a schedule: once a day, so long after midnight in UTC. Unlike a pause
// it does not begin anew when the server does.
type daily time.Duration

func (d daily) Next(now time.Time) time.Time {
	at := now.UTC().Truncate(24 * time.Hour).Add(time.Duration(d))
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// Start begins to work; ctx does not end it, Stop does.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", err)
	}
	r.running.Store(true)
	return nil
}

// Stop lets running jobs end for SoftStop, then cuts them off: they go back to
// the queue (promise O7).
func (r *Runner) Stop(ctx context.Context) error {
	if !r.running.Swap(false) {
		return nil
	}
	if err := r.stop(ctx); err != nil {
		return fmt.Errorf("the jobs have not ended in time, and run again later: %w", err)
	}
	return nil
}

// Check is nil while jobs are being worked: this process works them, and none has
// been due for longer than duePatience, whichever process is to work it.
func (r *Runner) Check(ctx context.Context) error {
	if !r.running.Load() {
		r.waited.Store(-1)
		return errors.New("jobs are not being worked")
	}
	if r.o.Oldest == nil {
		return nil
	}
	at := r.o.Now()
	since, err := r.o.Oldest(ctx, at)
	if err != nil {
		r.waited.Store(-1)
		return fmt.Errorf("which jobs are due is not known: %w", err)
	}
	var waited time.Duration
	if since != nil {
		waited = at.Sub(*since)
	}
	r.waited.Store(max(0, int64(waited)))
	if waited > duePatience {
		return fmt.Errorf("a job has been due for %s", waited.Round(time.Second))
	}
	return nil
}

// Waited is how long the oldest due job had waited at the last Check; false when
// that is not known.
func (r *Runner) Waited() (time.Duration, bool) {
	waited := r.waited.Load()
	return time.Duration(waited), waited >= 0
}

// leveled passes on records of a level and above.
type leveled struct {
	slog.Handler
	level slog.Level
}

func (l leveled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.level && l.Handler.Enabled(ctx, level)
}

func (l leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{l.Handler.WithAttrs(attrs), l.level}
}

func (l leveled) WithGroup(name string) slog.Handler {
	return leveled{l.Handler.WithGroup(name), l.level}
}

// failures logs what goes wrong in a job (promise O5); River tries again.
type failures struct{ log *slog.Logger }

func (f failures) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	f.log.ErrorContext(ctx, "job failed", "job", job.Kind, "id", job.ID, "attempt", job.Attempt, "err", err)
	return nil
}

func (f failures) HandlePanic(ctx context.Context, job *rivertype.JobRow, panicked any, trace string) *river.ErrorHandlerResult {
	f.log.ErrorContext(ctx, "job panicked", "job", job.Kind, "id", job.ID, "attempt", job.Attempt, "panic", fmt.Sprintf("%T", panicked), "stack", trace)
	return nil
}

// guard ends a panic before River sees it: River would keep the value, which may
// hold anything, in its log and in the row of the job (promise P4).
func (f failures) guard(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.HandlePanic(ctx, job, p, string(debug.Stack()))
			err = fmt.Errorf("panic of type %T", p)
		}
	}()
	return work(ctx)
}

// remindDocuments queues the reminder mails that have come due.
type remindDocuments struct{}

func (remindDocuments) Kind() string { return "remind_documents" }

type remindWorker struct {
	river.WorkerDefaults[remindDocuments]
	r *Runner
}

func (w *remindWorker) Work(ctx context.Context, _ *river.Job[remindDocuments]) error {
	n, err := w.r.o.Documents.SendReminders(ctx)
	if n > 0 {
		w.r.o.Log.InfoContext(ctx, "document reminders looked at", "documents", n)
	}
	return err
}

// purgeExpired removes what has run out.
type purgeExpired struct{}

func (purgeExpired) Kind() string { return "purge_expired" }

type purgeWorker struct {
	river.WorkerDefaults[purgeExpired]
	r *Runner
}

func (w *purgeWorker) Work(ctx context.Context, _ *river.Job[purgeExpired]) error {
	n, err := w.r.o.Accounts.Purge(ctx)
	if n > 0 {
		w.r.o.Log.InfoContext(ctx, "expired rows removed", "rows", n)
	}
	dropped, dropErr := w.r.o.Media.DropUnfinished(ctx)
	if dropped > 0 {
		w.r.o.Log.InfoContext(ctx, "unfinished uploads removed", "uploads", dropped)
	}
	again, requeueErr := w.r.o.Media.Requeue(ctx)
	if again > 0 {
		w.r.o.Log.WarnContext(ctx, "photos in work for hours, enqueued again", "photos", again)
	}
	return errors.Join(err, dropErr, requeueErr)
}
