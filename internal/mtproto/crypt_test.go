package mtproto

import (
	"crypto/aes"
	"io"

	"github.com/gotd/ige"
	"github.com/gotd/td/bin"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

func encryptIGE(key, iv bin.Int256, text []byte) []byte {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(text))
	ige.EncryptBlocks(block, iv[:], out, text)
	return out
}

func gzipWriter(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func zlibWriter(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
