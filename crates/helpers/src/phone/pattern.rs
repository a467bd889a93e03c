//! The patterns of numbering plans: the few elements of regular expressions that they are written in, over digits.

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// One digit out of a set, a bit for each.
    Digit(u16),
    /// One after the other.
    Sequence(Vec<Node>),
    /// The first that leads on.
    Choice(Vec<Node>),
    /// What it matches is kept under a number.
    Group(usize, Box<Node>),
    /// As often as possible.
    Repeat { node: Box<Node>, min: u32, max: u32 },
    /// The end of the text.
    End,
}

/// Groups that one pattern of the plans has at most.
const GROUPS: usize = 4;

/// How far a match has come and what its groups hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    at: usize,
    groups: [Option<(usize, usize)>; GROUPS],
}

/// A pattern of a numbering plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    node: Node,
    groups: usize,
}

/// What a pattern found at the start of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    /// What follows.
    pub(super) rest: &'a str,
    /// What the groups hold, the first one first.
    pub(super) groups: Vec<Option<&'a str>>,
}

impl Pattern {
    /// Reads a pattern; `None` when it holds an element that no plan uses.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text, groups: 0 };
        let node = reader.choice()?;
        reader.rest.is_empty().then_some(Self {
            node,
            groups: reader.groups,
        })
    }

    /// Whether the whole text fits.
    pub(super) fn fits(&self, digits: &str) -> bool {
        let ends = self.node.ends(digits.as_bytes(), State::default());
        ends.iter().any(|state| state.at == digits.len())
    }

    /// What it finds at the start of a text.
    pub(super) fn at_start<'a>(&self, digits: &'a str) -> Option<Match<'a>> {
        let state = self.node.ends(digits.as_bytes(), State::default()).into_iter().next()?;
        let groups = state.groups.iter().take(self.groups);
        Some(Match {
            rest: digits.get(state.at..)?,
            groups: groups
                .map(|group| group.and_then(|(from, to)| digits.get(from..to)))
                .collect(),
        })
    }
}

impl Node {
    /// Where a match that starts here may end, the preferred end first. Texts and patterns are short.
    fn ends(&self, text: &[u8], from: State) -> Vec<State> {
        match self {
            Self::Digit(set) => {
                let digit = text.get(from.at).filter(|byte| byte.is_ascii_digit());
                let fits = digit.is_some_and(|digit| set & (1 << (digit - b'0')) != 0);
                let after = State {
                    at: from.at + 1,
                    ..from
                };
                if fits { vec![after] } else { Vec::new() }
            }
            Self::Sequence(nodes) => nodes.iter().fold(vec![from], |states, node| {
                states.into_iter().flat_map(|state| node.ends(text, state)).collect()
            }),
            Self::Choice(nodes) => nodes.iter().flat_map(|node| node.ends(text, from)).collect(),
            Self::Group(number, node) => {
                let mut ends = node.ends(text, from);
                for end in &mut ends {
                    if let Some(group) = end.groups.get_mut(*number) {
                        *group = Some((from.at, end.at));
                    }
                }
                ends
            }
            Self::Repeat { node, min, max } => {
                let mut ends = Vec::new();
                repeat(node, *min, *max, text, from, &mut ends);
                ends
            }
            Self::End if from.at == text.len() => vec![from],
            Self::End => Vec::new(),
        }
    }
}

fn repeat(node: &Node, min: u32, max: u32, text: &[u8], from: State, ends: &mut Vec<State>) {
    if max > 0 {
        for state in node.ends(text, from) {
            // What matched nothing would match nothing again.
            if state.at > from.at {
                repeat(node, min.saturating_sub(1), max - 1, text, state, ends);
            }
        }
    }
    if min == 0 {
        ends.push(from);
    }
}

struct Reader<'a> {
    rest: &'a str,
    groups: usize,
}

impl Reader<'_> {
    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn choice(&mut self) -> Option<Node> {
        let mut nodes = vec![self.sequence()?];
        while self.take("|") {
            nodes.push(self.sequence()?);
        }
        Some(if nodes.len() == 1 {
            nodes.remove(0)
        } else {
            Node::Choice(nodes)
        })
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let node = self.element()?;
            nodes.push(self.repeated(node)?);
        }
        Some(Node::Sequence(nodes))
    }

    fn element(&mut self) -> Option<Node> {
        if self.take("(?:") {
            let node = self.choice()?;
            return self.take(")").then_some(node);
        }
        if self.take("(") {
            let number = self.groups;
            self.groups += 1;
            let node = self.choice()?;
            let closed = self.take(")") && number < GROUPS;
            return closed.then(|| Node::Group(number, Box::new(node)));
        }
        if self.take("[") {
            return self.set();
        }
        if self.take("\\d") {
            return Some(Node::Digit(0x3FF));
        }
        if self.take("$") {
            return Some(Node::End);
        }
        self.digit().map(|digit| Node::Digit(1 << digit))
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.rest.chars().next()?.to_digit(10)?;
        self.rest = self.rest.get(1..)?;
        Some(digit)
    }

    /// The rest of `[02-5]`.
    fn set(&mut self) -> Option<Node> {
        let mut set = 0;
        while !self.take("]") {
            let first = self.digit()?;
            let last = if self.take("-") { self.digit()? } else { first };
            for digit in first..=last {
                set |= 1 << digit;
            }
        }
        Some(Node::Digit(set))
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (min, max) = if self.take("?") {
            (0, 1)
        } else if self.take("{") {
            let min = self.number()?;
            let max = if self.take(",") { self.number()? } else { min };
            if !self.take("}") {
                return None;
            }
            (min, max)
        } else {
            return Some(node);
        };
        Some(Node::Repeat {
            node: Box::new(node),
            min,
            max,
        })
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = self.digit()?;
        while let Some(digit) = self.digit() {
            number = number * 10 + digit;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_elsewhere() {
        let pattern = Pattern::new(r"[2-9]\d{2}|3(?:1|22)?4{1,2}").unwrap();
        for (digits, fits) in [
            ("234", true),
            ("134", false),
            ("34", true),
            ("3144", true),
            ("32244", true),
            ("314444", false),
        ] {
            assert_eq!(pattern.fits(digits), fits, "{digits}");
        }
        let prefix = Pattern::new(r"(?:0|90)(?:(1[245])(\d{10,11}))?").unwrap();
        let found = prefix.at_start("01211987654321").unwrap();
        assert_eq!(found.groups, [Some("12"), Some("11987654321")]);
        assert_eq!(prefix.at_start("0119").unwrap().rest, "119");
        assert_eq!(prefix.at_start("19"), None);
        for unknown in ["a", "(1", "[1", "1*", "{2}"] {
            assert_eq!(Pattern::new(unknown), None, "{unknown}");
        }
    }
}
