//! The server under load: started from its binary, and stopped by its own process id.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::LoadError;
use crate::measure::process::Process;

/// How long a server may take to stop after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// What a server says once it accepts connections.
const READY: &str = "listening on http://";

/// The binary to test: `ORDERCAST_BIN`, or `ordercast` beside this program.
///
/// # Errors
/// When there is none.
pub fn find_binary() -> Result<PathBuf, LoadError> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("ordercast"));
    let binary = std::env::var_os("ORDERCAST_BIN").map(PathBuf::from).or_else(beside);
    binary.filter(|path| path.is_file()).ok_or_else(|| {
        LoadError::new("no server to test: build it with `cargo build --release`, or name it in ORDERCAST_BIN")
    })
}

/// A port of loopback for a server that cannot choose one itself. Nobody else takes it in between but by chance, and then
/// that server does not start.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A process of the server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    errors: Option<JoinHandle<String>>,
}

/// How a server ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub errors: String,
}

fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    // Settings in the environment of this program must not reach the server.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ORDERCAST_") || ["PORT", "WEBSOCKET_MAX_CONNECTIONS", "REDIS_URL"].contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts `ordercast serve` on a free port and waits until it is ready. `env` is added to its environment.
    ///
    /// # Errors
    /// When it does not start; the message has what it said.
    pub fn start(binary: &Path, data_dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Self, LoadError> {
        let mut command = command(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]).arg(data_dir).args(args);
        command.envs(env.iter().copied());
        let mut child =
            command.spawn().map_err(|error| LoadError::new(format!("{} does not start: {error}", binary.display())))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let errors = stderr.map(|stderr| std::thread::spawn(move || read_all(stderr)));
        let mut lines = BufReader::new(stdout.ok_or_else(|| LoadError::new("no standard output"))?).lines();
        let ready = lines.find_map(|line| line.ok()?.strip_prefix(READY)?.parse().ok());
        // Read on, so that the server never waits for a full pipe. The thread ends with the server.
        std::thread::spawn(move || lines.count());
        match ready {
            Some(address) => Ok(Self { child, address, errors }),
            None => {
                let _ = child.kill();
                let status = child.wait()?;
                let said = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
                Err(LoadError::new(format!("the server ended with {status}: {}", said.trim())))
            }
        }
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    /// Kills it at once (SIGKILL): it gets no chance to do anything.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(mut self) -> Result<(), LoadError> {
        if let Some(status) = self.child.try_wait()? {
            let said = self.said();
            return Err(LoadError::new(format!("the server ended by itself with {status}: {}", said.trim())));
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn terminate(self) -> Result<Ended, LoadError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| LoadError::new("a process id that is none"))?;
        kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        self.wait(STOP_TIMEOUT)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub fn wait(mut self, patience: Duration) -> Result<Ended, LoadError> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, errors: self.said() });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(LoadError::new(format!("the server did not end within {patience:?}")))
    }

    fn said(&mut self) -> String {
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut source: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is still worth telling.
    let _ = source.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs `ordercast verify`; `Some` with what it said when it is not clean.
///
/// # Errors
/// When it cannot be run.
pub fn verify(binary: &Path, data_dir: &Path) -> Result<Option<String>, LoadError> {
    let output = command(binary).arg("verify").arg("--data-dir").arg(data_dir).output()?;
    if output.status.success() {
        return Ok(None);
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(Some(format!("verify ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim())))
}
