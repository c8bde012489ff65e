//! Every relative link of every page leads to an existing file, and its anchor to a heading.

use std::path::{Component, Path, PathBuf};

use super::{markdown, pages, root};

#[test]
fn links_lead_somewhere() {
    let (mut links, mut faults) = (0, Vec::new());
    for page in pages() {
        let text = markdown::read(&page);
        for (line, target) in markdown::prose(&text)
            .into_iter()
            .flat_map(|(number, line)| {
                markdown::targets(line)
                    .into_iter()
                    .map(move |to| (number, to))
            })
        {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            if let Err(fault) = follow(&page, &target) {
                faults.push(format!("{}:{line}: {target}: {fault}", page.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(links > 50, "only {links} links were found");
}

/// The fault of a link, if any.
fn follow(page: &Path, target: &str) -> Result<(), &'static str> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to = if file.is_empty() {
        page.to_owned()
    } else {
        plain(&page.parent().unwrap().join(file)).ok_or("leads out of the repository")?
    };
    if !root().join(&to).exists() {
        return Err("there is no such file");
    }
    let is_page = to.extension().is_some_and(|kind| kind == "md");
    if !anchor.is_empty() {
        if !is_page {
            return Err("only pages have anchors");
        }
        if !markdown::anchors(&markdown::read(&to)).contains(&anchor.to_owned()) {
            return Err("there is no such heading");
        }
    }
    Ok(())
}

/// The path without `..`; `None` if it would begin with one.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            _ => plain.push(part),
        }
    }
    Some(plain)
}

#[test]
fn a_wrong_link_is_noticed() {
    let page = Path::new("docs/recipes.md");
    assert_eq!(follow(page, "../README.md"), Ok(()));
    assert_eq!(follow(page, "nowhere.md"), Err("there is no such file"));
    assert_eq!(
        follow(page, "../README.md#nowhere"),
        Err("there is no such heading")
    );
    assert_eq!(
        follow(page, "../../README.md"),
        Err("leads out of the repository")
    );
}

#[test]
fn the_table_of_contents_names_every_page() {
    let contents = markdown::read(Path::new("docs/README.md"));
    let named: Vec<String> = markdown::prose(&contents)
        .iter()
        .flat_map(|(_, line)| markdown::targets(line))
        .collect();
    for page in pages() {
        let Ok(name) = page.strip_prefix("docs") else {
            continue;
        };
        let name = name.to_string_lossy();
        assert!(
            name == "README.md" || named.iter().any(|target| *target == name),
            "docs/README.md does not name {name}"
        );
    }
}
