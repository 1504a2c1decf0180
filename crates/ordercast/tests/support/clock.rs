//! A wall clock that a test sets while a server runs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The wall clock of the servers that are started with its environment.
pub(crate) struct MovingClock {
    shim: PathBuf,
    offset: PathBuf,
}

impl MovingClock {
    /// Everything is made in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/moving_clock.c");
        let shim = dir.join("moving_clock.so");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl").output();
        let built = built.expect("a C compiler, which the bundled SQLite needs too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { shim, offset: dir.join("offset") }
    }

    pub(crate) fn env(&self) -> [(&'static str, &str); 2] {
        let text = |path: &'_ Path| path.to_str().map(str::to_owned).unwrap().leak() as &str;
        [("LD_PRELOAD", text(&self.shim)), ("CLOCK_OFFSET", text(&self.offset))]
    }

    /// Sets it to the true time plus this number of seconds.
    pub(crate) fn set_s(&self, seconds: i64) {
        // Renamed into its place, so that nobody reads half of it.
        let fresh = self.offset.with_extension("new");
        std::fs::write(&fresh, (seconds * 1_000).to_string()).unwrap();
        std::fs::rename(&fresh, &self.offset).unwrap();
    }
}
