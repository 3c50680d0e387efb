"""Folders that no other user of the host may write to or was there before us.

Sockets, and PostgreSQL's data under root, lie outside the home folder, in a place where every
user may create names; nothing there is trusted before its owner and mode are checked.
"""

import os
import stat
from pathlib import Path

from exchange.stack.errors import StackError

SOCKET_PATH_BYTES_MAX = 107  # sun_path of unix(7) less its final zero


def private_folder(path: Path, *, mode: int = 0o700, owner: int | None = None) -> Path:
    """Create `path`, or check that it is ours alone, and return it.

    `owner` is the uid it must belong to (ourselves by default). Raises StackError when the folder
    is a link, belongs to another user, or may be written to by one.
    """
    owner = os.geteuid() if owner is None else owner
    try:
        path.mkdir(mode=mode)
        if owner != os.geteuid():
            os.chown(path, owner, -1)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o022:
        raise StackError(
            f"{path} must be a folder of user {owner} that nobody else may write to, but is "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}: remove it and start again"
        )
    path.chmod(mode)
    return path


def secret_file(path: Path, content: str) -> None:
    """Write `content` to a file that only we may read, unless the file exists already.

    Written aside and linked into place, so that a crash leaves either nothing or the whole secret.
    """
    if path.exists():
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass  # another process of ours was first; its secret stands
    finally:
        aside.unlink()


def socket_path(path: Path) -> Path:
    """Return `path` if the kernel takes it as a Unix socket's name. Raises StackError."""
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise StackError(f"socket path {path} is longer than {SOCKET_PATH_BYTES_MAX} bytes")
    return path
