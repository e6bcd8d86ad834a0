package picture_test

import (
	"encoding/base64"
	"testing"
)

// Files that Go has no encoder for, made with Pillow: 32 by 16 pixels, white but
// for the 8 by 8 in the upper left corner, which are black if nothing else is said.
const (
	webpLossy = "" + // a lossy WebP
		"UklGRjwAAABXRUJQVlA4IDAAAACwAgCdASogABAAPjEUiEKiISEYBAAgAwS0gAA9kAAA/vkan//cP//9wj///t/YAAA="
	webpLossless = "" + // a lossless WebP
		"UklGRigAAABXRUJQVlA4TBwAAAAvH8ADAA8w//M///MfeBALJvlL784gov8TEJ4f"
	webpLossyAlpha = "" + // lossy, its corner red and all else transparent
		"UklGRnAAAABXRUJQVlA4WAoAAAAQAAAAHwAADwAAQUxQSBQAAAABDzD/ERFCLJjMX7o7g4j+T0B4flZQOCA2AAAAkAIAnQEqIAAQ" +
		"AD4xFIhCoiEhGAQAIAMEoAAHsgAA/v3dX//Pp//ns3//PEv//9duv//wnAAA"
	webpLosslessAlpha = "" + // lossless, its corner red and all else transparent
		"UklGRiYAAABXRUJQVlA4TBoAAAAvH8ADEA8Q8x/zHwyxYDJ/6e4MIvo/AeH5AQ=="
	webpAnimated = "" + // two frames
		"UklGRp4AAABXRUJQVlA4WAoAAAASAAAAHwAADwAAQU5JTQYAAAAAAAAAAABBTk1GNgAAAAAAAAAAAB8AAA8AAGQAAAJWUDhMHgAA" +
		"AC8fwAMADzD/8z//8x94EAsm+UvvziCi/xEeAAAAAEFOTUY0AAAAAAAAAAAAHwAADwAAZAAAAFZQOEwcAAAALx/AAxAPEDH/8x8M" +
		"sWCSv/TuDCL6H+EBAAAAAA=="
	jpegProgressive = "" + // a progressive JPEG
		"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYn" +
		"KSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo" +
		"KCgoKCgoKCj/wgARCAAQACADASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAcI/8QAFAEBAAAAAAAAAAAAAAAAAAAAAP/a" +
		"AAwDAQACEAMQAAABlOqgA//EABQQAQAAAAAAAAAAAAAAAAAAADD/2gAIAQEAAQUCD//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAI" +
		"AQMBAT8BP//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAIAQIBAT8BP//EABQQAQAAAAAAAAAAAAAAAAAAADD/2gAIAQEABj8CD//E" +
		"ABQQAQAAAAAAAAAAAAAAAAAAADD/2gAIAQEAAT8hD//aAAwDAQACAAMAAAAQ88//xAAUEQEAAAAAAAAAAAAAAAAAAAAQ/9oACAED" +
		"AQE/ED//xAAUEQEAAAAAAAAAAAAAAAAAAAAQ/9oACAECAQE/ED//xAAUEAEAAAAAAAAAAAAAAAAAAAAw/9oACAEBAAE/EA//2Q=="
	jpegCMYK = "" + // a CMYK JPEG, its corner red
		"/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAGBAUGBQQGBgUGBwcGCAoQCgoJCQoUDg8MEBcUGBgXFBYWGh0lHxobIxwWFiAsICMmJykq" +
		"KRkfLTAtKDAlKCko/8AAFAgAEAAgBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB" +
		"AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH" +
		"SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV" +
		"1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD6pr5Ur5Ur6por9VK/VSiiiiiiiiiiiiiiiiiiiiiiiiiv" +
		"/9k="
)

// file decodes one of the files above.
func file(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
