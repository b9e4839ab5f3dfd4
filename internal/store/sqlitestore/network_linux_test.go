package sqlitestore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const mounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 22 0:44 / /mnt/far rw,nosuid shared:9 - fuse.sshfs me@host:/dir rw,user_id=0
37 22 0:45 / /mnt/crypt rw,nosuid - fuse.gocryptfs /home/me/.crypt rw
38 22 0:46 / /mnt/dav rw - fuse https://dav.example/files rw
39 22 0:47 / /mnt/shared rw - virtiofs share rw
40 22 0:48 / /mnt/ceph rw - ceph-fuse ceph rw
torn line
`

func TestFuseThatIsANetworks(t *testing.T) {
	for device, want := range map[string]string{
		"0:44": "fuse.sshfs", "0:45": "", "0:46": "fuse", "0:47": "", "0:48": "ceph-fuse", "0:99": "", "254:0": "",
	} {
		if got, err := mountedFuse(strings.NewReader(mounts), device); got != want || err != nil {
			t.Errorf("device %s is %q (%v), want %q", device, got, err, want)
		}
	}
}

func TestNetworkKind(t *testing.T) {
	for magic, want := range map[uint32]string{0x6969: "nfs", 0xff534d42: "cifs", 0xfe534d42: "smb2", unix.EXT4_SUPER_MAGIC: "", unix.TMPFS_MAGIC: ""} {
		if got := networkMagic[magic]; got != want {
			t.Errorf("magic %x is %q, want %q", magic, got, want)
		}
	}
	dir := t.TempDir()
	if kind, err := networkKind(dir); kind != "" || err != nil {
		t.Errorf("the temporary folder is on %q (%v), want a local file system", kind, err)
	}
	if _, err := networkKind(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v for what does not exist", err)
	}
	if _, err := fuseKind(dir); err != nil {
		t.Error(err)
	}
}
