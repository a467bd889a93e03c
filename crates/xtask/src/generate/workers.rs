//! The folder of each helper's worker: package, program and stack.

use std::fmt::Write as _;
use std::path::Path;

use mfh_helpers::{Need, Registration};

use super::{Generated, MARKER};

/// The longest kebab name of a helper type: the framework names the role of its worker
/// `mfh-{kebab}-worker-staging-us-west-2-lambdaRole`, and IAM allows 64 characters.
pub const MAX_KEBAB_LEN: usize = 64 - "mfh-".len() - "-worker".len() - "-staging-us-west-2-lambdaRole".len();

/// Executions that the worker of one type may run at a time.
const MAX_CONCURRENCY: u32 = 20;

/// The statements of `infra/shared/helper-worker.yml` that every worker has.
const COMMON_STATEMENTS: [&str; 12] = [
    "executions",
    "counters",
    "platforms",
    "connections",
    "rateLimits",
    "notify",
    "internalSecrets",
    "oauthClients",
    "secretsKey",
    "largeOutputs",
    "ownQueue",
    "ownDeadLetters",
];

/// What the folder of a worker is made from.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The helper type, such as `tag_it`.
    pub type_name: String,
    /// The helper in Rust, such as `mfh_helpers::tagging::TagIt`.
    pub rust_path: String,
    /// What it needs beyond the common template.
    pub needs: Vec<Need>,
}

impl From<&Registration> for Worker {
    fn from(registration: &Registration) -> Self {
        Self {
            type_name: registration.meta.type_name.to_owned(),
            rust_path: registration.rust_path(),
            needs: registration.meta.needs.to_vec(),
        }
    }
}

impl Worker {
    /// The files of its folder `workers/<kebab>-worker`.
    pub fn files(&self) -> [Generated; 3] {
        let folder = Path::new("workers").join(format!("{}-worker", self.kebab()));
        [
            Generated {
                path: folder.join("Cargo.toml"),
                contents: self.manifest(),
            },
            Generated {
                path: folder.join("src/main.rs"),
                contents: self.program(),
            },
            Generated {
                path: folder.join("serverless.yml"),
                contents: self.stack(),
            },
        ]
    }

    fn kebab(&self) -> String {
        self.type_name.replace('_', "-")
    }

    fn manifest(&self) -> String {
        let (kebab, helper) = (self.kebab(), &self.type_name);
        format!(
            r#"# {MARKER}
[package]
name = "mfh-{kebab}-worker"
description = "Runs the executions of {helper}."
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license-file.workspace = true
publish.workspace = true

[lints]
workspace = true

[[bin]]
name = "mfh-{kebab}-worker"
path = "src/main.rs"
test = false

[dependencies]
mfh-helpers.workspace = true
mfh-worker.workspace = true
"#
        )
    }

    fn program(&self) -> String {
        let (helper, rust_path) = (&self.type_name, &self.rust_path);
        format!(
            "//! {MARKER} The worker of `{helper}`.\n\n\
             fn main() -> std::process::ExitCode {{\n    mfh_worker::run::<{rust_path}>()\n}}\n"
        )
    }

    fn stack(&self) -> String {
        let (kebab, helper) = (self.kebab(), &self.type_name);
        let environment = self.environment();
        let statements: String = COMMON_STATEMENTS
            .into_iter()
            .chain(self.needs.iter().flat_map(|&need| extra_statements(need)).copied())
            .fold(String::new(), |mut lines, name| {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    lines,
                    "        - ${{file(../../infra/shared/helper-worker.yml):statements.{name}}}"
                );
                lines
            });
        format!(
            r#"# {MARKER}
service: mfh-{kebab}-worker
frameworkVersion: '4'
configValidationMode: error

package:
  individually: true

custom:
  helper:
    type: {helper}
    name: {kebab}
    maxConcurrency: {MAX_CONCURRENCY}

provider:
  name: aws
  runtime: provided.al2023
  architecture: arm64
  region: us-west-2
  stage: ${{opt:stage, 'dev'}}
  memorySize: 256
  timeout: 300
  tracing:
    lambda: true
  versionFunctions: false
  logRetentionInDays: ${{file(../../serverless.yml):custom.shared.logRetention.${{sls:stage}}}}
  deploymentBucket:
    name: ${{env:MFH_DEPLOYMENT_BUCKET, 'mfh-offline'}}
  environment: ${{file(../../infra/shared/helper-worker.yml):environment}}
  iam:
    role:
      statements:
{statements}
functions:
  worker:
    handler: bootstrap
    description: Process {helper} helper execution jobs
    package:
      artifact: ../../target/lambda/${{self:service}}/bootstrap.zip
{environment}    events: ${{file(../../infra/shared/helper-worker.yml):events}}

resources: ${{file(../../infra/shared/helper-worker.yml):resources}}
"#
        )
    }

    /// The environment block of the function: what its needs add to the common one.
    fn environment(&self) -> String {
        let mut variables = self.needs.iter().flat_map(|&need| extra_variables(need)).peekable();
        if variables.peek().is_none() {
            return String::new();
        }
        variables.fold("    environment:\n".to_owned(), |mut block, (name, value)| {
            // Writing to a String cannot fail.
            let _ = writeln!(block, "      {name}: {value}");
            block
        })
    }
}

/// The statements of the fragment that a need adds.
fn extra_statements(need: Need) -> &'static [&'static str] {
    match need {
        Need::CountdownTimers => &["countdownTimers"],
        Need::EmailValidations => &["emailValidations"],
        Need::BackupBucket => &["backupBucket"],
        Need::Chain => &["chainExecutions", "chainHelpers"],
        Need::History => &["executionHistory"],
    }
}

/// The environment variables that a need adds.
fn extra_variables(need: Need) -> &'static [(&'static str, &'static str)] {
    match need {
        Need::CountdownTimers => &[
            ("COUNTDOWN_TIMERS_TABLE", "mfh-${sls:stage}-countdown-timers"),
            (
                "APP_URL",
                "${file(../../serverless.yml):custom.shared.appUrl.${sls:stage}}",
            ),
        ],
        Need::EmailValidations => &[("EMAIL_VALIDATIONS_TABLE", "mfh-${sls:stage}-email-validations")],
        Need::BackupBucket | Need::Chain | Need::History => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml_ng::Value;

    use super::*;

    const FRAGMENT: &str = include_str!("../../../../infra/shared/helper-worker.yml");
    const ALL_NEEDS: [Need; 5] = [
        Need::CountdownTimers,
        Need::EmailValidations,
        Need::BackupBucket,
        Need::Chain,
        Need::History,
    ];

    fn worker(needs: &[Need]) -> Worker {
        Worker {
            type_name: "hook_it_v2".to_owned(),
            rust_path: "mfh_helpers::integration::HookItV2".to_owned(),
            needs: needs.to_vec(),
        }
    }

    fn stack(needs: &[Need]) -> Value {
        serde_yaml_ng::from_str(&worker(needs).stack()).unwrap()
    }

    #[test]
    fn underscores_become_hyphens_in_folder_package_and_service() {
        let [manifest, program, stack] = worker(&[]).files();
        assert_eq!(manifest.path, Path::new("workers/hook-it-v2-worker/Cargo.toml"));
        assert_eq!(program.path, Path::new("workers/hook-it-v2-worker/src/main.rs"));
        assert_eq!(stack.path, Path::new("workers/hook-it-v2-worker/serverless.yml"));
        assert_eq!(manifest.contents.matches("\"mfh-hook-it-v2-worker\"").count(), 2);
        assert!(stack.contents.contains("\nservice: mfh-hook-it-v2-worker\n"));
    }

    #[test]
    fn the_program_names_its_one_helper() {
        assert!(
            worker(&[])
                .program()
                .contains("mfh_worker::run::<mfh_helpers::integration::HookItV2>()")
        );
    }

    #[test]
    fn the_worker_has_the_sizes_of_the_template() {
        let stack = stack(&[]);
        assert_eq!(stack["provider"]["memorySize"], 256);
        assert_eq!(stack["provider"]["timeout"], 300);
        assert_eq!(stack["custom"]["helper"]["type"], "hook_it_v2");
        assert_eq!(stack["custom"]["helper"]["name"], "hook-it-v2");
        assert_eq!(
            stack["functions"]["worker"]["description"],
            "Process hook_it_v2 helper execution jobs"
        );
        assert!(stack["functions"]["worker"]["environment"].is_null());
    }

    #[test]
    fn a_need_adds_its_table_to_environment_and_role() {
        let plain = worker(&[]).stack();
        let timers = worker(&[Need::CountdownTimers]).stack();
        assert!(!plain.contains("statements.countdownTimers"));
        assert!(timers.contains("statements.countdownTimers"));
        assert_eq!(
            stack(&[Need::CountdownTimers])["functions"]["worker"]["environment"]["COUNTDOWN_TIMERS_TABLE"],
            "mfh-${sls:stage}-countdown-timers"
        );
    }

    #[test]
    fn stacks_and_fragment_name_the_same_statements() {
        let fragment: Value = serde_yaml_ng::from_str(FRAGMENT).unwrap();
        let offered: Vec<&str> = fragment["statements"]
            .as_mapping()
            .unwrap()
            .keys()
            .filter_map(Value::as_str)
            .collect();
        let used: Vec<&str> = COMMON_STATEMENTS
            .into_iter()
            .chain(ALL_NEEDS.into_iter().flat_map(|need| extra_statements(need)).copied())
            .collect();
        assert_eq!(offered, used);
    }

    #[test]
    fn the_longest_name_fills_the_role_name() {
        assert_eq!(MAX_KEBAB_LEN, "zoom-webinar-participant".len());
    }
}
