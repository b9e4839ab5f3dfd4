package sqlitestore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// networkMagic names the network file systems by the magic numbers of statfs(2).
var networkMagic = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "smb2",
	unix.AFS_SUPER_MAGIC: "afs", unix.AFS_FS_MAGIC: "afs", unix.CEPH_SUPER_MAGIC: "ceph", unix.CODA_SUPER_MAGIC: "coda",
	unix.NCP_SUPER_MAGIC: "ncp", unix.OCFS2_SUPER_MAGIC: "ocfs2",
	0x01161970: "gfs2", 0x0bd00bd0: "lustre", 0x47504653: "gpfs", // linux/magic.h does not have these
}

// networkFuse names the FUSE file systems, of type fuse.NAME, that go over a network.
var networkFuse = []string{
	"sshfs", "rclone", "s3fs", "goofys", "gcsfuse", "blobfuse", "blobfuse2", "glusterfs", "ceph", "ceph-fuse", "curlftpfs",
	"davfs", "davfs2", "smbnetfs", "juicefs", "JuiceFS", "mfs", "lizardfs", "seaweedfs", "weed", "mount-s3", "moosefs",
}

// networkKind returns the kind of network file system that path is on, "" for a local one.
func networkKind(path string) (string, error) {
	var st unix.Statfs_t
	if err := ignoringEINTR(func() error { return unix.Statfs(path, &st) }); err != nil {
		return "", err
	}
	magic := uint32(st.Type)
	if magic != unix.FUSE_SUPER_MAGIC {
		return networkMagic[magic], nil
	}
	return fuseKind(path)
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// fuseKind looks up in the table of mounts which program serves the FUSE file system at path.
func fuseKind(path string) (string, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Stat(path, &st) }); err != nil {
		return "", err
	}
	dev := uint64(st.Dev) //nolint:unconvert // the type differs between architectures
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	return mountedFuse(f, fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)))
}

// mountedFuse finds the device in a table of mounts, see proc(5), and returns its kind if that is a network's.
func mountedFuse(mountinfo io.Reader, device string) (string, error) {
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		// 36 35 0:44 / /mnt rw,noatime shared:1 - fuse.sshfs user@host:/dir rw
		before, after, ok := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(before); !ok || len(fields) < 3 || fields[2] != device {
			continue
		}
		kind, source, _ := strings.Cut(after, " ")
		source, _, _ = strings.Cut(source, " ")
		if slices.Contains(networkFuse, strings.TrimPrefix(kind, "fuse.")) || strings.Contains(source, "://") {
			return kind, nil
		}
		return "", nil
	}
	return "", lines.Err()
}
