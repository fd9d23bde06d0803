//! The console's files, built in by `build.rs`.

use weir_api::{Asset, Console};

const FILES: &[Asset] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What was built in: nothing when there was no `ui/dist`.
pub const CONSOLE: Console = Console(FILES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_path_that_is_answered() {
        let paths = weir_api::paths();
        for asset in FILES {
            let in_assets = asset.path.strip_prefix("/assets/").is_some_and(|n| !n.contains('/'));
            let is_answered =
                asset.path == "/index.html" || in_assets || paths.contains(&asset.path);
            assert!(is_answered, "{} has no route in weir-api/src/app.rs", asset.path);
            assert!(!asset.path.ends_with(".map"), "{} shows the sources", asset.path);
            assert_eq!(asset.tag.len(), 16);
            for twin in [asset.gzip, asset.brotli].into_iter().flatten() {
                assert!(!twin.is_empty());
            }
        }
        assert_eq!(CONSOLE.index().is_some(), !FILES.is_empty());
    }

    #[test]
    fn the_page_has_nothing_that_its_policy_forbids() {
        let Some(index) = CONSOLE.index() else { return };
        let page = std::str::from_utf8(index.plain).unwrap();
        for script in page.split("<script").skip(1) {
            assert!(script.contains(" src=\"/assets/"), "an inline script: {script}");
        }
        for word in ["style=", "<style", " onclick=", "javascript:", "http:", "https:"] {
            assert!(!page.contains(word), "{word} is in {page}");
        }
    }
}
