//! Comments in prompts.

/// A line without its comment. A `#` starts a comment if white space or an end of the line is on both sides of it: `#1`
/// and `#ff0000` are words.
pub(super) fn without_comment(line: &str) -> &str {
    let is_edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let mut signs = line.match_indices('#').map(|(at, _)| at);
    let start = signs.find(|&at| {
        is_edge(line[..at].chars().next_back()) && is_edge(line[at + 1..].chars().next())
    });
    &line[..start.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_starts_with_a_number_sign_between_white_space() {
        for (line, expected) in [
            ("a coat # red?", "a coat "),
            ("# a coat", ""),
            ("a coat #", "a coat "),
            ("#1 on a #ff0000 wall, C# ##", "#1 on a #ff0000 wall, C# ##"),
            ("é # è # ê", "é "),
            ("", ""),
        ] {
            assert_eq!(without_comment(line), expected);
        }
    }
}
