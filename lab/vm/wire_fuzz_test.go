package vm

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What a machine says of a command's output may be anything.
func FuzzPlayBack(f *testing.F) {
	var good bytes.Buffer
	r := &recording{w: &good, flush: func() error { return nil }}
	if _, err := (stream{r, toStdout}).Write([]byte("out")); err != nil {
		f.Fatal(err)
	}
	if err := r.end(7); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(append([]byte{byte(toStderr), 0, 1, 0, 1}, make([]byte, recordBytes+1)...))
	f.Add([]byte{byte(toStderr), 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{byte(atEnd), 0, 0, 0, 1, 9})
	f.Fuzz(func(t *testing.T, said []byte) {
		var out bytes.Buffer
		_, _ = playBack(bytes.NewReader(said), &out, io.Discard)
		if out.Len() > len(said) {
			t.Errorf("%d bytes came out of %d", out.Len(), len(said))
		}
	})
}

// What a machine says is in its folder may be anything, and stays in the folder
// that it is put into.
func FuzzUnpackTree(f *testing.F) {
	for _, h := range []tar.Header{
		{Name: "file", Typeflag: tar.TypeReg, Size: 4},
		{Name: "../beside", Typeflag: tar.TypeReg, Size: 4},
		{Name: "/etc/passwd", Typeflag: tar.TypeReg, Size: 4},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "../.."},
		{Name: "device", Typeflag: tar.TypeBlock},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		above := t.TempDir()
		dir := filepath.Join(above, "dir")
		_ = unpackTree(bytes.NewReader(archive), dir)
		if all, err := os.ReadDir(above); err != nil || len(all) != 1 {
			t.Errorf("beside its folder there is %v, %v", all, err)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !d.Type().IsRegular() {
				t.Errorf("%s is neither a file nor a folder", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
