//! The imports of the pages: relative paths in TypeScript and style sheets.

use super::Import;
use crate::project::Project;

/// What the sources of the pages end with.
const ENDINGS: [&str; 3] = [".ts", ".tsx", ".css"];
/// Test code, which is apart.
const TEST_ENDING: &str = ".test.ts";
/// The folder whose folders are rooms of their own.
const PAGES: &str = "pages";
/// What stands before the path of an import.
const BEFORE_PATH: [&str; 4] = ["from ", "import ", "import(", "@import "];

/// Imports between the folders right below `folder`; below `pages`, each page is a room.
pub(super) fn of_folder(project: &Project, folder: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    for (path, text) in &project.files {
        let (Some(inside), Some(text)) = (inside(path, folder), text) else { continue };
        let is_source = ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.ends_with(TEST_ENDING);
        let (true, Some(from)) = (is_source, room_of(inside)) else { continue };
        for (line, number) in text.lines().zip(1..) {
            let imported = imported_path(line).and_then(|relative| resolve(inside, relative));
            if let Some(to) = imported.as_deref().and_then(room_of) {
                imports.push(Import { from: from.clone(), to, place: (path.clone(), number) });
            }
        }
    }
    imports
}

/// The path below a folder.
fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

/// The room of a path below the root; none for a file that lies in the root itself.
fn room_of(path: &str) -> Option<String> {
    let (room, rest) = path.split_once('/')?;
    if room != PAGES {
        return Some(room.to_owned());
    }
    rest.split_once('/').map(|(page, _)| format!("{PAGES}/{page}"))
}

/// The relative path that a line imports from.
fn imported_path(line: &str) -> Option<&str> {
    let starts = BEFORE_PATH.iter().filter_map(|before| line.find(before).map(|at| &line[at + before.len()..]));
    starts.filter_map(quoted).find(|path| path.starts_with('.'))
}

/// The text between the quotes that it begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(path, _)| path)
}

/// Where a relative path leads from a file; none when it leaves the root.
fn resolve(file: &str, relative: &str) -> Option<String> {
    let mut folders: Vec<_> = file.split('/').collect();
    folders.pop();
    for part in relative.split('/') {
        match part {
            "." => {}
            ".." => {
                folders.pop()?;
            }
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_they_import() {
        let rows = [
            ("import { a } from '../live/store';", Some("../live/store")),
            ("import type { A } from \"./a\";", Some("./a")),
            ("} from '../../protocol/orders';", Some("../../protocol/orders")),
            ("import './style.css';", Some("./style.css")),
            ("@import '../styles/tokens.css';", Some("../styles/tokens.css")),
            ("const late = await import('../charts/plot');", Some("../charts/plot")),
            ("export { a } from '../live/store';", Some("../live/store")),
            ("import { signal } from '@preact/signals';", None),
            ("// what is imported from elsewhere", None),
            ("const text = 'from here';", None),
        ];
        for (line, expected) in rows {
            assert_eq!(imported_path(line), expected, "{line}");
        }
    }

    #[test]
    fn paths_and_their_rooms() {
        let rows = [
            ("pages/desk/views/Story.tsx", "../../../views/Icon", Some("views")),
            ("pages/desk/views/Story.tsx", "../state/desk", Some("pages/desk")),
            ("pages/desk/main.tsx", "../overview/state/feed", Some("pages/overview")),
            ("live/store.ts", "./hold", Some("live")),
            ("live/store.ts", "../../browser/server", None),
            ("live/store.ts", "../main", None),
        ];
        for (file, relative, expected) in rows {
            let found = resolve(file, relative).as_deref().and_then(room_of);
            assert_eq!(found.as_deref(), expected, "{file} {relative}");
        }
    }
}
