package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc"
)

// maxProfile bounds a profile, unpacked. Those of printers have up to 3 MB.
const maxProfile = 4 << 20

// colours is the profile of a picture's samples, nil where they are sRGB or are to
// be taken for it. What makes no sense, or is for other samples, says nothing: so
// browsers have it.
func colours(raw []byte, h head, m model) *icc.Profile {
	var p *icc.Profile
	var err error
	switch h.contentType {
	case JPEG:
		p, err = icc.Parse(jpegProfile(raw))
	case PNG:
		p, err = pngProfile(raw)
	case WebP:
		p, err = icc.Parse(webpProfile(raw))
	}
	if err != nil {
		return nil
	}
	channels := p.Channels()
	switch m {
	case modelGrey:
		if channels == 4 {
			return nil
		}
	case modelCMYK, modelYCCK:
		if channels != 4 {
			return nil
		}
	case modelYCbCr, modelRGB:
		if channels != 3 && (channels != 1 || !greyPNG(raw, h)) {
			return nil
		}
	}
	if p.SRGB() {
		return nil
	}
	return p
}

// greyPNG tells whether the samples of a picture are grey, although with alpha they
// are decoded as colours.
func greyPNG(raw []byte, h head) bool {
	const colourType, hasColour = len(pngMagic) + 8 + 9, 2
	return h.contentType == PNG && raw[colourType]&hasColour == 0
}

// profileMemory is what reading a profile takes: its bytes put together, and its
// tables.
func profileMemory(raw []byte, h head) int64 {
	name := map[string]string{JPEG: "ICC_PROFILE", PNG: "iCCP", WebP: "ICCP"}[h.contentType]
	if !bytes.Contains(raw, []byte(name)) {
		return 0
	}
	return 4 * maxProfile
}

// jpegProfile puts the profile of a JPEG together. Its parts are numbered from 1,
// and may come in any order.
func jpegProfile(raw []byte) []byte {
	const ident, markerAPP2 = "ICC_PROFILE\x00", 0xe2
	var parts [256][]byte
	count := 0
	for i := 2; i+4 <= len(raw); {
		if raw[i] != 0xff || raw[i+1] == 0 || raw[i+1] == 0xff {
			i++
			continue
		}
		marker := raw[i+1]
		if marker == markerSOS || marker == markerEOI {
			break
		}
		if marker >= markerRST0 && marker <= markerSOI {
			i += 2
			continue
		}
		length := int(binary.BigEndian.Uint16(raw[i+2:]))
		if length < 2 || i+2+length > len(raw) {
			break
		}
		if body := raw[i+4 : i+2+length]; marker == markerAPP2 && len(body) > len(ident)+2 && string(body[:len(ident)]) == ident {
			if n := body[len(ident)]; n > 0 && parts[n] == nil {
				parts[n], count = body[len(ident)+2:], int(body[len(ident)+1])
			}
		}
		i += 2 + length
	}
	var profile []byte
	for i := 1; i <= count; i++ {
		if parts[i] == nil || len(profile)+len(parts[i]) > maxProfile {
			return nil
		}
		profile = append(profile, parts[i]...)
	}
	return profile
}

// webpProfile is the profile of a WebP.
func webpProfile(raw []byte) []byte {
	for i := 12; i+8 <= len(raw); {
		length := int64(binary.LittleEndian.Uint32(raw[i+4:]))
		end := int64(i) + 8 + length
		if end > int64(len(raw)) {
			return nil
		}
		if string(raw[i:i+4]) == "ICCP" && length <= maxProfile {
			return raw[i+8 : end]
		}
		i = int(end + length%2)
	}
	return nil
}

// pngProfile is what the chunks of a PNG say: code points before a profile, that
// before plain sRGB, and this before a gamma with its primaries.
func pngProfile(raw []byte) (*icc.Profile, error) {
	chunks := map[string][]byte{}
	for i := len(pngMagic); i+12 <= len(raw); {
		length := int64(binary.BigEndian.Uint32(raw[i:]))
		name := string(raw[i+4 : i+8])
		end := int64(i) + 12 + length
		if end > int64(len(raw)) || name == "IDAT" {
			break
		}
		switch name {
		case "cICP", "iCCP", "sRGB", "gAMA", "cHRM":
			if _, twice := chunks[name]; !twice {
				chunks[name] = raw[i+8 : i+8+int(length)]
			}
		}
		i = int(end)
	}
	if c := chunks["cICP"]; len(c) == 4 && c[2] == 0 && c[3] == 1 {
		if p, err := icc.FromCodePoints(c[0], c[1]); err == nil {
			return p, nil
		}
	}
	if c := chunks["iCCP"]; c != nil {
		if p, err := icc.Parse(unpack(c)); err == nil {
			return p, nil
		}
	}
	if chunks["sRGB"] != nil || len(chunks["gAMA"]) != 4 {
		return nil, icc.ErrProfile
	}
	gamma := binary.BigEndian.Uint32(chunks["gAMA"])
	if gamma == 0 {
		return nil, icc.ErrProfile
	}
	xy := [4][2]float64{{0.3127, 0.3290}, {0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}}
	if c := chunks["cHRM"]; len(c) == 32 {
		for i := range 8 {
			xy[i/2][i%2] = float64(binary.BigEndian.Uint32(c[4*i:])) / 100_000
		}
	}
	return icc.FromPrimaries(xy, 100_000/float64(gamma))
}

// unpack reads the profile out of an iCCP chunk.
func unpack(chunk []byte) []byte {
	name := bytes.IndexByte(chunk, 0)
	if name < 0 || len(chunk) < name+2 || chunk[name+1] != 0 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(chunk[name+2:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(z, maxProfile+1))
	if err != nil || len(profile) > maxProfile {
		return nil
	}
	return profile
}
