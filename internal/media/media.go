// Package media is about the photos of car posts and the files of documents:
// what may be uploaded, what becomes of it, who may see it, and how nothing is
// left behind. The bytes go from the client straight to the storage; this
// package gives the permit, looks at what has come, and makes what is shown.
//
// The life of an upload: started (a permit is out), processing (inspected, and
// copied to where no client may write), ready (shown), failed or lost (with the
// reason), and gone, with every object of it.
package media

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// State is how far an upload has come.
type State string

// The states. A file of a document is ready as soon as it was inspected; a photo
// is re-encoded first.
const (
	Started    State = "started"
	Processing State = "processing"
	Ready      State = "ready"
	Failed     State = "failed"
	Lost       State = "lost"    // its objects were missed by the comparison: ready again when they are back
	Dropped    State = "dropped" // deleted or refused before it was completed; kept until its permit lapses
)

// Target is the thing that an upload is for: a car post or a document.
type Target struct {
	Post     int64
	Document int64
}

// Upload is a photo of a car post or the file of a document. Size is in bytes,
// times are UTC.
type Upload struct {
	Target
	ID          int64
	OwnerID     int64 // of the thing, and so of the upload
	State       State
	Position    int   // among the photos of a post; the order counts, not the number
	ReplacesID  int64 // the photo whose place this one takes when it is ready
	UploadKey   string
	Folder      string // of the objects that the server made; ends in a slash
	LegacyKey   string // the object of a photo that came with the older backend's data
	FileName    string
	ContentType string
	Size        int64 // 0 while it is not known: the older client does not say
	Width       *int
	Height      *int
	Problem     string // why it failed, in words for its owner
	CreatedAt   time.Time
	CompletedAt *time.Time
	UpdatedAt   time.Time
}

// The objects in the folder of an upload.
const (
	originalName = "original" // of a photo, as it was inspected; never shown, gone when it is re-encoded
	largeName    = "large.jpg"
	mediumName   = "medium.jpg"
	smallName    = "small.jpg"
	fileName     = "file" // of a document, as it was inspected
)

// objects are the names of what must be in the folder, and of what may be there
// besides for a while.
func (u Upload) objects() (needed, allowed []string) {
	switch {
	case u.State == Processing:
		return []string{originalName}, []string{largeName, mediumName, smallName}
	case u.Document != 0:
		return []string{fileName}, nil
	}
	return []string{largeName, mediumName, smallName}, nil
}

// Permitted is when the permit of the upload ends.
func (u Upload) Permitted() time.Time { return u.CreatedAt.Add(PermitLife) }

// Purge is an object to be removed, or all objects below a prefix, once a moment
// has come.
type Purge struct {
	ID    int64
	Key   string
	Whole bool // all below the prefix Key
	Due   time.Time
	Tries int
}

// Purges are the removals of all objects of an upload. What its client has
// uploaded is removed once more when the permit has lapsed: until then it could
// be uploaded again.
func (u Upload) Purges(now time.Time) []Purge {
	var list []Purge
	if u.UploadKey != "" {
		list = append(list, Purge{Key: u.UploadKey, Due: now}, Purge{Key: u.UploadKey, Due: now.Add(SweepAfter)})
	}
	if u.Folder != "" {
		list = append(list, Purge{Key: u.Folder, Whole: true, Due: now})
	}
	if u.LegacyKey != "" {
		list = append(list, Purge{Key: u.LegacyKey, Due: now})
	}
	return list
}

// AccountPurges are the removals of all that an account may have stored, now and
// once more when its last permit has lapsed (promise D13).
func AccountPurges(prefix string, account int64, now time.Time) []Purge {
	var list []Purge
	for _, due := range []time.Time{now, now.Add(SweepAfter)} {
		for _, p := range []string{UploadsPrefix(prefix), KeptPrefix(prefix)} {
			list = append(list, Purge{Key: p + strconv.FormatInt(account, 10) + "/", Whole: true, Due: due})
		}
	}
	return list
}

// own begins all keys that are made here, whatever else is in the bucket: nobody
// else's are below it (promise D14).
const own = "ridecopilot/"

// OwnPrefix is where the keys of all that is made here begin.
func OwnPrefix(prefix string) string { return prefix + own }

// ErasedPrefix is where the keys of the list of erased accounts begin: see package
// backup.
func ErasedPrefix(prefix string) string { return OwnPrefix(prefix) + "erased/" }

// UploadsPrefix is where the keys of what clients upload begin.
func UploadsPrefix(prefix string) string { return OwnPrefix(prefix) + "uploads/" }

// KeptPrefix is where the keys of what the server keeps of them begin.
func KeptPrefix(prefix string) string { return OwnPrefix(prefix) + "media/" }

// Process is the job that re-encodes a photo. Folder is the photo's own, so that
// a run that was cut off while the photo was deleted leaves nothing behind.
type Process struct {
	UploadID int64  `json:"upload_id"`
	Folder   string `json:"folder"`
}

// Kind names the job.
func (Process) Kind() string { return "process_photo" }

// PurgeObjects is the job that removes what is due to be removed.
type PurgeObjects struct{}

// Kind names the job.
func (PurgeObjects) Kind() string { return "purge_objects" }

// Limits of uploads (promises U2, U7, U12 and Z8). MB is 2^20 bytes.
const (
	MaxSize       = 10 << 20
	MaxPhotos     = 20      // of one post
	MaxUnfinished = 20      // of one owner
	MaxBegun      = 200     // of one owner while a permit lives, those that were deleted or refused as well: a permit that was given out cannot be taken back from S3
	MaxBytes      = 2 << 30 // of one owner, all uploads together
	PermitLife    = 10 * time.Minute
	SweepAfter    = PermitLife + time.Minute // when no permit of now counts any more, whoever's clock is asked
	UnfinishedFor = 24 * time.Hour
)

// The life of URLs (promise U10). The URLs of photos are the same for everybody
// who asks within a window, so that browsers can cache what is behind them.
const (
	photoURLLife   = time.Hour
	photoURLWindow = 30 * time.Minute
	fileURLLife    = 5 * time.Minute
	fileURLWindow  = time.Minute
)

// The types that are taken.
var (
	PhotoTypes = []string{picture.JPEG, picture.PNG, picture.WebP}
	FileTypes  = []string{picture.PDF, picture.JPEG, picture.PNG, picture.WebP}
)

// Sentinels that callers tell apart.
var (
	ErrNotFound     = fault.New(fault.NotFound, "There is no such upload.")
	ErrPermitOver   = fault.New(fault.Conflict, "The permit of this upload has lapsed. Begin a new one.")
	ErrComplete     = fault.New(fault.Conflict, "This upload is complete already.")
	ErrBusy         = fault.Busy(fault.Unavailable, "Too many files are being looked at. Try again shortly.", time.Second)
	ErrNotUploaded  = fault.New(fault.Conflict, "Nothing has been uploaded yet: send the file to the storage first.")
	ErrReplacedAway = fault.New(fault.Conflict, "The file was uploaded again while it was being looked at. Complete it once more.")
	ErrTooMany      = fault.New(fault.Conflict, fmt.Sprintf("This car post has %d photos, unfinished ones among them, which is the limit. Delete one first.", MaxPhotos))
	ErrUnfinished   = fault.New(fault.Conflict, fmt.Sprintf("You have %d unfinished uploads, which is the limit. Complete some, or delete them.", MaxUnfinished))
	ErrBegun        = fault.Busy(fault.TooMany, fmt.Sprintf("You have begun %d uploads within ten minutes, which is the limit. Try again in ten minutes.", MaxBegun), PermitLife)
	ErrQuota        = fault.New(fault.Conflict, fmt.Sprintf("Your photos and files would take more than %d GB, which is the limit. Delete some first.", MaxBytes>>30))
	ErrNoReplaced   = fault.InvalidField("replaces", "does_not_exist", "This car post has no such photo.")
	ErrFull         = fault.New(fault.Full, "There is no room for more files.")
	ErrUnavailable  = fault.Busy(fault.Unavailable, "The storage of files does not answer. Try again shortly.", 5*time.Second)
)

// File is what a client says of a file that it is going to upload.
type File struct {
	Name        string
	ContentType string
	Size        int64 // bytes; 0 when the client cannot say
}

// tidy keeps what a file is called clean, and its type spelt in one way.
func (f *File) tidy() {
	f.Name, f.ContentType = CleanName(f.Name), picture.CanonicalType(f.ContentType)
}

// CleanName is the file's own name of a path, without what does not print. It may
// be empty.
func CleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name))
}

// extensions are how names of files end, by what is in them.
var extensions = map[string]string{
	".jpg": picture.JPEG, ".jpeg": picture.JPEG, ".jpe": picture.JPEG, ".jfif": picture.JPEG,
	".png": picture.PNG, ".webp": picture.WebP, ".pdf": picture.PDF,
}

// endings are how they end as we name them.
var endings = map[string]string{picture.JPEG: ".jpg", picture.PNG: ".png", picture.WebP: ".webp", picture.PDF: ".pdf"}

// DownloadName is what the file is called when it is downloaded: as its client called
// it, but with the ending of what is in it where it had that of something else.
func (u Upload) DownloadName() string {
	ending := path.Ext(u.FileName)
	said, known := extensions[strings.ToLower(ending)]
	right, taken := endings[u.ContentType]
	if !known || !taken || said == u.ContentType {
		return u.FileName
	}
	return strings.TrimSuffix(u.FileName, ending) + right
}

// validate notes what is wrong with what the client says.
func (f File) validate(types []string, sized bool, bad *fault.Fields) {
	account.CheckText(bad, "file_name", f.Name, 1, account.MaxText, false)
	if help := picture.RefusedType(f.ContentType); help != "" && !bad.Has("content_type") {
		bad.Add("content_type", "invalid_choice", help)
	}
	account.CheckChoice(bad, "content_type", f.ContentType, types)
	switch {
	case bad.Has("size"):
	case f.Size < 0 || (sized && f.Size == 0):
		bad.Add("size", "min_value", "Ensure this value is greater than or equal to 1.")
	case f.Size > MaxSize:
		bad.Add("size", "max_value", fmt.Sprintf("Ensure this value is less than or equal to %d (%d MB).", MaxSize, MaxSize>>20))
	}
}

// Shown are the photos that somebody sees: their owner all but those that were
// only started, others what is ready.
func Shown(photos []Upload, own bool) []Upload {
	var shown []Upload
	for _, p := range photos {
		if p.State == Ready || (own && p.State != Started && p.State != Dropped) {
			shown = append(shown, p)
		}
	}
	return shown
}
