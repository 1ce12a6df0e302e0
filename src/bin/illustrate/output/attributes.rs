//! What a file has besides contents and permissions: its owner, tags of file managers and access lists.

use std::fs::File;

/// Copies the owner of a file, as far as the system allows it.
pub(super) fn copy_owner(from: &File, to: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};

        let (Ok(old), Ok(new)) = (from.metadata(), to.metadata()) else { return };
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root may give files away. Others may choose one of their groups.
            let _ = fchown(to, Some(old.uid()), Some(old.gid()))
                .or_else(|_| fchown(to, None, Some(old.gid())));
        }
    }
    #[cfg(not(unix))]
    let _ = (from, to);
}

/// Copies the extended attributes of a file, as far as the system allows it: those of programs, and the access list.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn copy_attributes(from: &File, to: &File) {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

    let mut names = vec![0; MAX_BYTES];
    let mut value = vec![0; MAX_BYTES];
    let Ok(length) = flistxattr(from, &mut names[..]) else { return };
    for name in names[..length].split(|&byte| byte == 0) {
        if !is_copied(name) {
            continue;
        }
        if let Ok(length) = fgetxattr(from, name, &mut value[..]) {
            let _ = fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn copy_attributes(_: &File, _: &File) {}

/// The most bytes of a value and of all names, as Linux limits them.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const MAX_BYTES: usize = 1 << 16;

/// Whether an attribute belongs to the user. Others belong to the system, such as security labels.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn is_copied(name: &[u8]) -> bool {
    !name.is_empty()
        && (cfg!(target_vendor = "apple")
            || name.starts_with(b"user.")
            || name == b"system.posix_acl_access")
}
