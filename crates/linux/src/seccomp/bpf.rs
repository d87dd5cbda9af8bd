//! Compiles a profile to the kernel's filter program: a binary search over call numbers, then conditions on arguments.
//! One filter can answer with different error numbers and say `ENOSYS` to calls newer than our table, so that
//! libraries fall back instead of failing; that, and the search instead of a chain of comparisons, is why it is here
//! and not a library's.
//! Invariant: calls of another architecture, or of the 32-bit numbering on x86_64, never reach the table.

use std::collections::BTreeMap;

use libc::sock_filter;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
};

use super::table;
use crate::error::{Error, Result};

/// `AUDIT_ARCH_*` of the machine.
const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
/// Bit of the call numbers of the x32 ABI.
const X32: u32 = 0x4000_0000;
/// Offsets in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const IF_NOT_LESS: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// What happens to one call.
#[derive(Clone, PartialEq)]
enum Verdict {
    /// The filter's return value.
    Always(u32),
    /// The first rule whose conditions all hold decides, else the last value.
    When(Vec<(Vec<LinuxSeccompArg>, u32)>, u32),
}

/// Compiles a profile.
///
/// # Errors
/// [`Error::Spec`] for actions that need a listener or a tracer.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Vec<sock_filter>> {
    let default = action(profile.default_action(), profile.default_errno_ret())?;
    let calls = verdicts(profile, default)?;
    // Neighbours with the same verdict become one interval; gaps get the default.
    let mut intervals: Vec<(u32, Verdict)> = vec![(0, Verdict::Always(default))];
    let mut set = |start: u32, verdict: Verdict| {
        intervals.retain(|(known, _)| *known != start);
        if intervals.last().is_none_or(|(_, last)| *last != verdict) {
            intervals.push((start, verdict));
        }
    };
    for (number, verdict) in &calls {
        set(*number, verdict.clone());
        if !calls.contains_key(&(number + 1)) {
            set(number + 1, Verdict::Always(default));
        }
    }
    set(table::LAST + 1, Verdict::Always(errno(libc::ENOSYS)));
    let mut program = vec![
        op(LOAD, ARCHITECTURE_AT),
        branch(IF_EQUAL, ARCHITECTURE, 1, 0),
        op(RETURN, errno(libc::EPERM)),
        op(LOAD, NUMBER_AT),
        branch(IF_NOT_LESS, X32, 0, 1),
        op(RETURN, errno(libc::EPERM)),
    ];
    program.extend(search(&intervals));
    Ok(program)
}

fn verdicts(profile: &LinuxSeccomp, default: u32) -> Result<BTreeMap<u32, Verdict>> {
    let mut calls: BTreeMap<u32, Verdict> = BTreeMap::new();
    for rule in profile.syscalls().iter().flatten() {
        let value = action(rule.action(), rule.errno_ret())?;
        let conditions = rule.args().clone().unwrap_or_default();
        // Names that this architecture lacks, or that are newer than our table, are nothing to decide about.
        for number in rule.names().iter().filter_map(|name| table::number(name)) {
            let known = calls.entry(number).or_insert_with(|| Verdict::When(Vec::new(), default));
            if let Verdict::When(rules, otherwise) = known {
                if conditions.is_empty() && rules.is_empty() {
                    *known = Verdict::Always(value);
                } else if conditions.is_empty() {
                    *otherwise = value;
                } else {
                    rules.push((conditions.clone(), value));
                }
            }
        }
    }
    Ok(calls)
}

fn action(action: Action, errno_return: Option<u32>) -> Result<u32> {
    Ok(match action {
        Action::ScmpActAllow => libc::SECCOMP_RET_ALLOW,
        Action::ScmpActErrno => {
            libc::SECCOMP_RET_ERRNO | (errno_return.unwrap_or(libc::EPERM as u32) & libc::SECCOMP_RET_DATA)
        }
        Action::ScmpActKill | Action::ScmpActKillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::ScmpActKillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::ScmpActTrap => libc::SECCOMP_RET_TRAP,
        Action::ScmpActLog => libc::SECCOMP_RET_LOG,
        Action::ScmpActNotify | Action::ScmpActTrace => {
            return Err(Error::Spec(format!("system call action {action} is not offered")));
        }
    })
}

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// Code that finds the interval of the number in the accumulator and decides.
fn search(intervals: &[(u32, Verdict)]) -> Vec<sock_filter> {
    if let [(_, verdict)] = intervals {
        return decide(verdict);
    }
    let (left, right) = intervals.split_at(intervals.len() / 2);
    let (low, high) = (search(left), search(right));
    let mut code = Vec::with_capacity(low.len() + high.len() + 2);
    match u8::try_from(low.len()) {
        Ok(skip) => code.push(branch(IF_NOT_LESS, right[0].0, skip, 0)),
        Err(_) => {
            code.push(branch(IF_NOT_LESS, right[0].0, 0, 1));
            code.push(op(JUMP, low.len() as u32));
        }
    }
    code.extend(low);
    code.extend(high);
    code
}

fn decide(verdict: &Verdict) -> Vec<sock_filter> {
    match verdict {
        Verdict::Always(value) => vec![op(RETURN, *value)],
        Verdict::When(rules, otherwise) => {
            let mut code = Vec::new();
            for (conditions, value) in rules {
                let mut rest = vec![op(RETURN, *value)];
                for condition in conditions.iter().rev() {
                    let mut with = check(condition, rest.len() as u8);
                    with.extend(rest);
                    rest = with;
                }
                code.extend(rest);
            }
            code.push(op(RETURN, *otherwise));
            code
        }
    }
}

/// Code that goes on behind itself if the condition holds, and skips `rest` more instructions if not.
fn check(condition: &LinuxSeccompArg, rest: u8) -> Vec<sock_filter> {
    let at = ARGUMENTS_AT + 8 * condition.index() as u32;
    let (low_at, high_at) = if cfg!(target_endian = "little") { (at, at + 4) } else { (at + 4, at) };
    let (low, high) = (|value: u64| value as u32, |value: u64| (value >> 32) as u32);
    let value = condition.value();
    // Shape of all comparisons: high word, then low word; `behind` counts what follows within the check.
    let ordered = |greater_holds: bool, low_test: u16, low_holds: bool| {
        let (yes, no) = (|behind: u8| behind, |behind: u8| behind + rest);
        let goes = |holds: bool, behind: u8| if holds { yes(behind) } else { no(behind) };
        vec![
            op(LOAD, high_at),
            branch(IF_GREATER, high(value), goes(greater_holds, 3), 0),
            branch(IF_EQUAL, high(value), 0, goes(!greater_holds, 2)),
            op(LOAD, low_at),
            branch(low_test, low(value), goes(low_holds, 0), goes(!low_holds, 0)),
        ]
    };
    match condition.op() {
        Operator::ScmpCmpGt => ordered(true, IF_GREATER, true),
        Operator::ScmpCmpGe => ordered(true, IF_NOT_LESS, true),
        Operator::ScmpCmpLt => ordered(false, IF_NOT_LESS, false),
        Operator::ScmpCmpLe => ordered(false, IF_GREATER, false),
        Operator::ScmpCmpEq => vec![
            op(LOAD, high_at),
            branch(IF_EQUAL, high(value), 0, 2 + rest),
            op(LOAD, low_at),
            branch(IF_EQUAL, low(value), 0, rest),
        ],
        Operator::ScmpCmpNe => vec![
            op(LOAD, high_at),
            branch(IF_EQUAL, high(value), 0, 2),
            op(LOAD, low_at),
            branch(IF_EQUAL, low(value), rest, 0),
        ],
        Operator::ScmpCmpMaskedEq => {
            let wanted = condition.value_two().unwrap_or(0);
            vec![
                op(LOAD, high_at),
                op(AND, high(value)),
                branch(IF_EQUAL, high(wanted), 0, 3 + rest),
                op(LOAD, low_at),
                op(AND, low(value)),
                branch(IF_EQUAL, low(wanted), 0, rest),
            ]
        }
    }
}

fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn branch(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::oci_profile;

    /// Runs a filter as the kernel would.
    fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let instruction = program[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { instruction.jt } else { instruction.jf });
            match instruction.code {
                LOAD => {
                    accumulator = match instruction.k {
                        NUMBER_AT => number,
                        ARCHITECTURE_AT => architecture,
                        offset => {
                            let argument = arguments[((offset - ARGUMENTS_AT) / 8) as usize];
                            if offset % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
                        }
                    }
                }
                AND => accumulator &= instruction.k,
                JUMP => at += instruction.k as usize,
                IF_EQUAL => at += jump(accumulator == instruction.k),
                IF_GREATER => at += jump(accumulator > instruction.k),
                IF_NOT_LESS => at += jump(accumulator >= instruction.k),
                RETURN => return instruction.k,
                other => panic!("instruction {other}"),
            }
        }
    }

    fn verdict(name: &str, arguments: &[u64]) -> String {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let program = compile(&oci_profile()).unwrap();
        match run(&program, ARCHITECTURE, table::number(name).unwrap(), all) {
            libc::SECCOMP_RET_ALLOW => "allow".into(),
            value => format!("errno {}", value & libc::SECCOMP_RET_DATA),
        }
    }

    #[test]
    fn the_default_profile_decides_by_call_and_argument() {
        for (name, arguments, expected) in [
            ("read", &[][..], "allow"),
            ("execve", &[], "allow"),
            ("exit_group", &[], "allow"),
            ("mount", &[], "errno 1"),
            ("unshare", &[0x1000_0000], "errno 1"),
            ("keyctl", &[], "errno 1"),
            ("bpf", &[], "errno 1"),
            ("io_uring_setup", &[], "errno 1"),
            ("clone3", &[], "errno 38"),
            ("clone", &[0x11], "allow"),
            ("clone", &[0x1000_0011], "errno 1"),
            ("clone", &[0x0002_0000], "errno 1"),
            ("personality", &[0], "allow"),
            ("personality", &[0xffff_ffff], "allow"),
            ("personality", &[0x0004_0000], "errno 1"),
            ("personality", &[0x1_0000_0000], "errno 1"),
            ("socket", &[2], "allow"),
            ("socket", &[38], "errno 1"),
            ("socket", &[39], "allow"),
            ("socket", &[40], "errno 1"),
            ("socket", &[41], "allow"),
        ] {
            assert_eq!(verdict(name, arguments), expected, "{name} {arguments:?}");
        }
    }

    #[test]
    fn every_call_of_the_program_agrees_with_a_plain_reading_of_the_profile() {
        let profile = oci_profile();
        let program = compile(&profile).unwrap();
        let calls = verdicts(&profile, errno(libc::EPERM)).unwrap();
        for number in 0..=table::LAST + 40 {
            let expected = match calls.get(&number) {
                Some(Verdict::Always(value)) => *value,
                Some(Verdict::When(..)) => continue,
                None if number > table::LAST => errno(libc::ENOSYS),
                None => errno(libc::EPERM),
            };
            assert_eq!(run(&program, ARCHITECTURE, number, [0; 6]), expected, "{number}");
        }
    }

    #[test]
    fn other_architectures_and_numberings_are_refused() {
        let program = compile(&oci_profile()).unwrap();
        assert_eq!(run(&program, 0x4000_0003, 3, [0; 6]), errno(libc::EPERM));
        assert_eq!(run(&program, ARCHITECTURE, X32, [0; 6]), errno(libc::EPERM));
    }

    #[test]
    fn comparisons_look_at_all_sixty_four_bits() {
        let big = 0x1_0000_0005_u64;
        for (operator, value, argument, holds) in [
            (Operator::ScmpCmpEq, big, big, true),
            (Operator::ScmpCmpEq, big, 5, false),
            (Operator::ScmpCmpNe, big, 5, true),
            (Operator::ScmpCmpNe, big, big, false),
            (Operator::ScmpCmpLt, big, 0x1_0000_0004, true),
            (Operator::ScmpCmpLt, big, big, false),
            (Operator::ScmpCmpLt, big, 0xffff_ffff, true),
            (Operator::ScmpCmpLe, big, big, true),
            (Operator::ScmpCmpLe, big, 0x2_0000_0000, false),
            (Operator::ScmpCmpGt, big, 0x2_0000_0000, true),
            (Operator::ScmpCmpGt, big, big, false),
            (Operator::ScmpCmpGe, big, big, true),
            (Operator::ScmpCmpGe, big, 0x1_0000_0004, false),
        ] {
            let condition = oci_spec::runtime::LinuxSeccompArgBuilder::default()
                .index(1_usize)
                .op(operator)
                .value(value)
                .build()
                .unwrap();
            // A second rule behind it shows that a failed condition lands exactly there.
            let code = decide(&Verdict::When(vec![(vec![condition, condition], 7)], 9));
            let expected = if holds { 7 } else { 9 };
            assert_eq!(run(&code, 0, 0, [0, argument, 0, 0, 0, 0]), expected, "{operator:?} {argument:#x}");
        }
    }
}
