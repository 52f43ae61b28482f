package mtproto

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/gotd/td/bin"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// Results of these sizes are tried to be compressed.
const (
	minGzip = 1 << 10
	maxGzip = 512 << 10
)

// idUploadFile is upload.file, whose bytes are compressed already.
const idUploadFile = 0x096a18d5

var deflaters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is fixed
	}
	return w
}}

// unpacker reads gzip or, as mtcute packs, zlib.
func unpacker(packed *bytes.Reader) (io.ReadCloser, error) {
	head := make([]byte, 2)
	if _, err := packed.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if head[0] == 0x1f && head[1] == 0x8b {
		return gzip.NewReader(packed)
	}
	return zlib.NewReader(packed)
}

// inflate returns what gzip_packed#3072cfa1 packed_data:bytes holds, up to maxInflated bytes.
func inflate(b *bin.Buffer) ([]byte, error) {
	packed, err := b.Bytes()
	if err != nil {
		return nil, errMalformed
	}
	r, err := unpacker(bytes.NewReader(packed))
	if err != nil {
		return nil, errMalformed
	}
	defer func() { _ = r.Close() }()
	plain, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	if err != nil || len(plain) > maxInflated || len(plain) < 4 || len(plain)%4 != 0 {
		return nil, errMalformed
	}
	return plain, nil
}

// deflate returns result as gzip_packed if that is smaller, or result itself.
func deflate(result []byte) []byte {
	if len(result) < minGzip || len(result) > maxGzip || constructor(result) == idUploadFile {
		return result
	}
	var packed bytes.Buffer
	w, ok := deflaters.Get().(*gzip.Writer)
	if !ok {
		return result
	}
	defer deflaters.Put(w)
	w.Reset(&packed)
	if _, err := w.Write(result); err != nil {
		return result
	}
	if err := w.Close(); err != nil || packed.Len()+12 >= len(result) {
		return result
	}
	var b bin.Buffer
	b.PutID(idGzipped)
	b.PutBytes(packed.Bytes())
	return b.Buf
}

// resultBody returns rpc_result#f35c6d01 req_msg_id:long result:Object.
func resultBody(request int64, result []byte) []byte {
	b := make([]byte, 0, 12+len(result))
	b = binary.LittleEndian.AppendUint32(b, idRPCResult)
	b = binary.LittleEndian.AppendUint64(b, uint64(request))
	return append(b, result...)
}
