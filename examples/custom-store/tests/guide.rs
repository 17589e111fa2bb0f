//! What `docs/writing-a-store.md` shows is code of this crate.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

const GUIDE: &str = include_str!("../../../docs/writing-a-store.md");
const CODE: [&str; 2] = [include_str!("../src/main.rs"), include_str!("conformance.rs")];

#[test]
fn the_guide_shows_this_very_code() {
    let blocks: Vec<&str> = GUIDE.split("```rust\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (shown, _) = block.split_once("```").unwrap();
        for line in shown.lines() {
            let stands = CODE.iter().any(|code| code.lines().any(|own| own.trim() == line));
            assert!(
                stands,
                "the guide shows a line that is not in the example: {line}"
            );
        }
    }
}
