//! What a check of a whole store found.

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// How many things were looked at.
    pub looked_at: u64,
    /// What is wrong, each in words; empty when all is well. At most [`MAX_PROBLEMS`].
    pub problems: Vec<String>,
}

/// Most problems that one check lists.
pub const MAX_PROBLEMS: usize = 20;

/// All checks of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// In the order they ran.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.problems.is_empty())
    }
}

impl std::fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for finding in &self.findings {
            let verdict = if finding.problems.is_empty() { "ok" } else { "WRONG" };
            writeln!(f, "{verdict:>6}  {} ({} looked at)", finding.check, finding.looked_at)?;
            for problem in &finding.problems {
                writeln!(f, "        - {problem}")?;
            }
        }
        Ok(())
    }
}
