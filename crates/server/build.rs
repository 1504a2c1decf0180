//! Embeds the built pages of `web/dist`, or a page that says how to build them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const STUB: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
content=\"width=device-width\"><title>Ordercast</title><h1>Ordercast is running</h1><p>This binary was built \
without its pages. Build them and then the binary:</p><pre>make build</pre><p>The interface works without them: \
see <a href=\"/health\">/health</a>, <a href=\"/orders\">/orders</a> and <a href=\"/stats\">/stats</a>.</p></html>";

fn main() -> io::Result<()> {
    let missing = |name| io::Error::other(format!("cargo sets {name}"));
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let dist = manifest.join("../../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        collect(&dist, &dist, &mut files)?;
    } else {
        let stub = out.join("index.html");
        fs::write(&stub, STUB)?;
        files.extend(["/index.html", "/desk.html"].map(|route| (route.to_owned(), stub.clone())));
    }
    files.sort();
    let mut table = String::from("static PAGES: &[(&str, &[u8])] = &[\n");
    for (route, file) in files {
        let file = fs::canonicalize(file)?;
        writeln!(table, "    ({route:?}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    fs::write(out.join("pages.rs"), table)
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            files.push((format!("/{}", relative.display()), path));
        }
    }
    Ok(())
}
