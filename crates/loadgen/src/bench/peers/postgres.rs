//! A private PostgreSQL as it comes: it syncs before it answers.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::failure::LoadError;
use crate::measure::process::Process;
use crate::server::free_port;

/// How long it may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);
/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who it runs as when this process is root, which it refuses: the first of these that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Beside its defaults, with which it syncs every commit.
const SETTINGS: [&str; 3] = ["shared_buffers=256MB", "max_connections=100", "unix_socket_directories="];

/// A user and its group, by number.
type Ids = (u32, u32);

/// Why there is none, and how that is mended.
pub(super) fn is_missing() -> Option<String> {
    programs().is_none().then(|| "PostgreSQL is missing; on Debian: apt-get install postgresql".to_owned())
}

/// The folder with `initdb` and `postgres`: that of the newest version, or one that commands are looked for in.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = versions.into_iter().map(|version| version.join("bin")).chain(std::env::split_paths(&path));
    folders.find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

/// It runs until this is dropped.
pub(super) struct Postgres {
    child: Child,
    pub(super) port: u16,
}

impl Postgres {
    pub(super) fn start(dir: &Path) -> Result<Self, LoadError> {
        let programs = programs().ok_or_else(|| LoadError::new("PostgreSQL is missing"))?;
        let user = user()?;
        if let Some((user, group)) = user {
            chown(dir, Some(user), Some(group))?;
        }
        let data = dir.join("data");
        let made = command(&programs.join("initdb"), user)
            .args(["--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale", "--pgdata"])
            .arg(&data)
            .output()?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).trim().to_owned();
            return Err(LoadError::new(format!("initdb ended with {}: {said}", made.status)));
        }
        let port = free_port()?;
        let log = fs::File::create(dir.join("log"))?;
        let child = command(&programs.join("postgres"), user)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1"])
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| LoadError::new(format!("postgres does not start: {error}")))?;
        let mut postgres = Self { child, port };
        postgres.wait_until_ready(dir)?;
        Ok(postgres)
    }

    /// It writes its state into a file; when it listens it may still turn clients away.
    fn wait_until_ready(&mut self, dir: &Path) -> Result<(), LoadError> {
        let started = Instant::now();
        loop {
            let state = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
            if state.lines().any(|line| line.trim_end() == "ready") {
                return Ok(());
            }
            let has_ended = self.child.try_wait()?.is_some();
            if has_ended || started.elapsed() > PATIENCE {
                let said = fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(LoadError::new(format!("postgres does not get ready: {}", said.trim())));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The first of its processes; all others are its children.
    pub(super) fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, and its children with it: nothing of it is kept. All of this fails when it has ended already.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let started = Instant::now();
        while started.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user that it has to run as; `None` is the user of this program.
fn user() -> Result<Option<Ids>, LoadError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let found = USERS.iter().find_map(|name| ids(&users, name));
    found.map(Some).ok_or_else(|| LoadError::new("PostgreSQL refuses to run as root, and there is no user nobody"))
}

fn ids(users: &str, name: &str) -> Option<Ids> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

fn command(program: &Path, user: Option<Ids>) -> Command {
    let mut command = Command::new(program);
    // It may not look into the folder that this was started in.
    command.stdin(Stdio::null()).current_dir("/");
    // Settings in the environment of this program must not reach it.
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")).for_each(|(name, _)| {
        command.env_remove(name);
    });
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:,,,:/:/bin/sh\n";
        assert_eq!(ids(users, "postgres"), Some((101, 104)));
        assert_eq!(ids(users, "nobody"), None);
        assert_eq!(ids("nobody:x:many:1::/:/bin/sh", "nobody"), None);
    }
}
