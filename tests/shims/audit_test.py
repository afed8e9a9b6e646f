#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""`tendril audit`: what it says of programs made for it, and of files that are none. And the list of
what bypasses the shim, which it reads, against the table of what does not, and against libc."""

import json
import os
import random
import re
import shutil
import subprocess
import unittest

import ledger_test
import programs

ledger = ledger_test.ledger
import not_replaced  # found where ledger is

TOOL = programs.TOOL

RAW = r"""
#include <unistd.h>
/* Bytes that look like the instruction, in the code's section, and within other instructions. */
__asm__(".text\n.type table, @object\ntable: .byte 0x0f, 0x05, 0xc3, 0x0f, 0x05, 0x90\n.size table, 6\n");
extern const unsigned char table[];
__attribute__((noinline)) int innocent(void) { volatile int x = 0x050f050f; return x + table[0]; }
__attribute__((noinline)) long straight_to_kernel(void) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(39L) : "rcx", "r11", "memory");
    return result;
}
int main(int argc, char** argv) { return argc > 5 ? (int)straight_to_kernel() : innocent() == 0; }
"""
LIBRARY = "#include <unistd.h>\nlong move(int from, void* to) { return read(from, to, 1); }\n"
USER = ("#include <stdio.h>\n#include <fcntl.h>\nlong move(int, void*);\n"
        "int main(void) { char c; printf(\"%d\", 1); perror(\"\"); fsync(1); sleep(0); wordexp(\"\", 0, 0);\n"
        "  sem_wait(0); return (int)move(0, &c); }\n")
DEEP = ("#include <dlfcn.h>\n__attribute__((noinline)) void* keep(void) { return dlopen(\"x\", RTLD_NOW); }\n"
        "__attribute__((noinline)) void* deep(void) { return dlopen(\"x\", RTLD_NOW | RTLD_DEEPBIND); }\n"
        "int main(int c, char** v) { return c > 5 ? keep() != deep() : 0; }\n")
OWN = ("#include <sys/types.h>\n#include <unistd.h>\n"
       "__attribute__((visibility(\"default\"))) ssize_t read(int fd, void* p, size_t n) { return 0; }\n"
       "int main(void) { return (int)read(0, 0, 0); }\n")


class Audit(unittest.TestCase):
    def setUp(self):
        self.workshop = programs.Workshop()
        self.addCleanup(self.workshop.close)

    def build(self, name, text, *flags):
        path = self.workshop.file(name)
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-w", "-x", "c", "-", "-x", "none", "-o", path, *flags],
                       input=text, text=True, check=True)
        return path

    def audit(self, path, status=1, **environment):
        return json.loads(programs.run(TOOL, "audit", "--json", path, status=status, **environment)[0])

    def refused(self, *arguments, **environment):
        out, errors = programs.run(TOOL, "audit", *arguments, status=2, **environment)
        self.assertEqual(out, "")
        self.assertTrue(errors.startswith("tendril"), errors)
        return errors

    def becomes(self, entry):
        return {i["name"]: i["becomes"] for i in entry["imports"]}

    def codes(self, report):
        return [f["code"] for entry in report["objects"] for f in entry["findings"]]

    def with_library(self, *flags):
        os.mkdir(self.workshop.file("lib"))
        library = self.build("lib/libmove.so", LIBRARY, "-shared", "-fPIC", "-Wl,-soname,libmove.so")
        return library, self.build("user", USER, library, *flags)

    def test_imports_of_program_and_library(self):
        library, program = self.with_library("-Wl,-rpath,$ORIGIN/lib")
        report = self.audit(program)
        self.assertEqual([entry["path"] for entry in report["objects"]], [program, library])
        self.assertEqual(self.becomes(report["objects"][0]),
                         {"fsync": "offloaded", "perror": "brief", "printf": "shimmed", "sem_wait": "threads",
                          "sleep": "shimmed", "wordexp": "bypassing"})
        self.assertEqual(self.becomes(report["objects"][1]), {"read": "shimmed"})
        self.assertTrue(any(path.endswith("/libc.so.6") for path in report["libc"]))
        self.assertEqual((report["missing"], report["bypasses"]), ([], True))
        self.assertFalse(self.audit(library, status=0)["bypasses"])

    def test_libraries_are_found_as_the_loader_finds_them(self):
        library, program = self.with_library()
        report = self.audit(program)
        self.assertEqual(report["missing"], [{"name": "libmove.so", "needed_by": program}])
        folder = os.path.dirname(library)
        report = self.audit(program, LD_LIBRARY_PATH=f"/nonesuch:{folder}")
        self.assertEqual(report["objects"][1]["path"], library)
        _, listed = subprocess.getstatusoutput("ldd " + shutil.which("git"))
        wanted = {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", listed)}
        report = json.loads(subprocess.run([TOOL, "audit", "--json", shutil.which("git")],
                                           capture_output=True, check=False).stdout)
        found = [entry["path"] for entry in report["objects"][1:]] + report["libc"]
        self.assertEqual(wanted - {os.path.realpath(path) for path in found}, set())
        self.assertEqual(report["missing"], [])

    def test_rpath_old_and_new(self):
        library, program = self.with_library("-Wl,-rpath,${ORIGIN}/lib", "-Wl,--disable-new-dtags")
        other = self.workshop.file("other")
        os.mkdir(other)
        shutil.copy(library, other)
        path = {"LD_LIBRARY_PATH": other}
        self.assertEqual(self.audit(program, **path)["objects"][1]["path"], library)
        program = self.build("newer", USER, library, "-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags")
        self.assertEqual(self.audit(program, **path)["objects"][1]["path"], os.path.join(other, "libmove.so"))

    def test_status_tells_of_what_may_wait_for_long(self):
        """Nearly every program looks at files and locks mutexes."""
        text = "#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\n" \
               "int main(void) { struct stat s; %s; unlink(\"\"); fopen(\"\", \"r\"); return stat(\"\", &s); }\n"
        files = {"fopen": "shimmed", "stat": "brief", "unlink": "brief"}
        for more, status, calls in (("", 0, {}), ("pthread_mutex_lock(0)", 0, {"pthread_mutex_lock": "threads"}),
                                    ("getpwent()", 0, {"getpwent": "brief"}),
                                    ("getpass(0)", 1, {"getpass": "bypassing"}),
                                    ("rexec(0, 0, 0, 0, 0, 0)", 1, {"rexec": "bypassing"})):
            report = self.audit(self.build("program", text % more), status=status)
            self.assertEqual(self.becomes(report["objects"][0]), {**files, **calls})
            self.assertEqual(report["bypasses"], status == 1)
        out, _ = programs.run(TOOL, "audit", self.build("program", text % ""))
        self.assertIn("reaches the shim", out)

    def test_text_is_for_reading(self):
        _, program = self.with_library("-Wl,-rpath,$ORIGIN/lib")
        out, errors = programs.run(TOOL, "audit", program, status=1)
        self.assertEqual(errors, "")
        for line in (r"  shimmed +printf, sleep$", r"  offloaded +fsync$", r"  brief \(messages\) +perror$", r"  threads +sem_wait$",
                     r"  bypassing \(commands\) wordexp$"):
            self.assertRegex(out, re.compile(line, re.M))
        self.assertIn("may block a thread", out)

    @unittest.skipUnless(os.uname().machine == "x86_64", "instructions are x86-64's")
    def test_raw_system_calls(self):
        program = self.build("raw", RAW)
        [raw] = self.audit(program)["objects"][0]["system_call_instructions"]
        self.assertEqual((raw["function"], raw["number"]), ("straight_to_kernel", 39))
        for flags in (["-s"], ["-s", "-fno-asynchronous-unwind-tables"]):
            [found] = self.audit(self.build("stripped", RAW, *flags))["objects"][0][
                "system_call_instructions"]
            self.assertEqual((found["function"], found["number"]), (None, 39))
        innocent = RAW.replace('"syscall"', '"nop"')
        self.assertEqual(
            self.audit(self.build("innocent", innocent), 0)["objects"][0]["system_call_instructions"], [])

    def test_system_calls_by_number(self):
        program = self.build("by_number", "#include <unistd.h>\nint main(void) { return (int)syscall(39); }\n")
        self.assertEqual(self.becomes(self.audit(program)["objects"][0]), {"syscall": "bypassing"})

    @unittest.skipUnless(os.uname().machine == "x86_64", "instructions are x86-64's")
    def test_deep_binding(self):
        for flags in ([], ["-fno-plt"], ["-fcf-protection=none"]):
            report = self.audit(self.build("deep", DEEP, *flags))
            self.assertEqual(self.codes(report), ["dlopen", "deepbind"])
            self.assertTrue(report["objects"][0]["findings"][1]["text"].endswith(": deep"))
        report = self.audit(self.build("shallow", DEEP.replace("| RTLD_DEEPBIND", "")), status=0)
        self.assertEqual(self.codes(report), ["dlopen"])

    def test_functions_under_the_names_of_libc(self):
        program = self.build("own", OWN, "-rdynamic")
        self.assertEqual(self.codes(self.audit(program)), ["own"])
        library = self.build("libown.so", OWN, "-shared", "-fPIC", "-Wl,-Bsymbolic", "-Wl,-soname,libown.so")
        self.assertEqual(self.codes(self.audit(library)), ["symbolic"])

    def test_linked_with_the_shim(self):
        text = "#include <unistd.h>\nint main(void) { return (int)sleep(0); }\n"
        for flags in (programs.LINKED, programs.WHOLE_ARCHIVE):
            report = self.audit(self.build("linked", text, *flags), status=0 if flags is programs.LINKED else 1)
            self.assertTrue(report["linked_with_shim"])
            self.assertNotIn("own", self.codes(report))
        self.assertFalse(self.audit(self.build("unlinked", text), status=0)["linked_with_shim"])

    def test_where_no_shim_gets(self):
        static = self.build("static", "int main(void) { return 0; }\n", "-static")
        self.assertEqual(self.codes(self.audit(static)), ["static"])
        self.assertEqual(self.codes(self.audit(self.build("pie", "int main(void) { return 0; }\n",
                                                          "-static-pie"))), ["static"])
        program = self.build("true", "int main(void) { return 0; }\n")
        os.chmod(program, 0o6755)
        self.assertEqual(self.codes(self.audit(program)), ["setuid", "setgid"])
        go = self.build("go", 'int main(void) { return 0; }\n__attribute__((section(".go.buildinfo"), used)) '
                              'const char info[] = "go1";\n')
        self.assertEqual(self.codes(self.audit(go)), ["go"])

    def test_scripts(self):
        program = self.build("true", "int main(void) { return 0; }\n")
        script = self.workshop.file("script")
        here = f"{self.workshop.path}:/usr/bin"
        env = "#!/usr/bin/env "
        for line, path in ((f"#!{program}", here), ("#! /usr/bin/env true -x", here),
                           (env + "-S A=1 true -u", here), (env + "A=1 true", here),
                           (env + f"-i PATH={here} true", "/usr/bin"),
                           (env + "-u A -S B='1 2' true", here), (env + "-uA --unset=B --unset C true", here),
                           (env + "-vS true -u", here), (env + "-C / --chdir=/ -- A=1 true", here),
                           (env + f"-S PATH={here} ${{TENDRIL_NAME}} x", "/usr/bin"),
                           (env + "--split-string='true' -x", here), (env + r'-S "tr"ue # comment', here)):
            with open(script, "w") as file:
                file.write(line + "\n")
            report = self.audit(script, status=0, PATH=path, TENDRIL_NAME="true")
            self.assertEqual((report["program"], report["script"]), (program, script), line)
        # Without the PATH that it has here.
        for options in ("-i", "-", "-u PATH", "--ignore-environment", "--unset=PATH", "-iu A"):
            with open(script, "w") as file:
                file.write(f"{env}{options} true\n")
            report = self.audit(script, status=0, PATH=here)
            self.assertIn(report["program"], ("/bin/true", "/usr/bin/true"), options)
        with open(script, "w") as file:
            file.write(env + "-S nonesuch -x\n")
        self.assertIn("nonesuch", self.refused(script))

    def test_what_is_no_program(self):
        self.refused()
        self.refused("a", "b")
        self.refused("--fast", "true")
        self.assertIn("nonesuch", self.refused("nonesuch"))
        self.refused(self.workshop.file("nonesuch"))
        self.refused(self.workshop.path)
        self.refused("/dev/null")
        os.mkfifo(self.workshop.file("fifo"))
        self.refused(self.workshop.file("fifo"))
        text = self.workshop.file("text")
        with open(text, "w") as file:
            file.write("\x7fELF or not\n")
        self.assertIn("not an ELF file", self.refused(text))
        self.assertIn("neither", self.refused(self.build("part.o", "int x;\n", "-c")))
        program = self.build("other", "int main(void) { return 0; }\n")
        with open(program, "r+b") as file:
            file.seek(18)
            file.write(b"\x08\x00")  # MIPS
        self.assertIn("another machine", self.refused(program))
        with open(self.workshop.file("orphan"), "w") as file:
            file.write("#!/no/such/interpreter\n")
        self.refused(self.workshop.file("orphan"))

    @unittest.skipIf(os.getuid() == 0, "root may read everything")
    def test_without_permission(self):
        program = self.build("secret", "int main(void) { return 0; }\n")
        os.chmod(program, 0o111)
        self.assertIn("Permission denied", self.refused(program))

    def test_damaged_files_do_no_harm(self):
        with open(self.build("raw", RAW, "-ldl"), "rb") as file:
            whole = file.read()
        chance = random.Random(17)
        damaged = self.workshop.file("damaged")
        for i in range(120):
            data = bytearray(whole if i % 4 else whole[:chance.randrange(len(whole))])
            for _ in range(i % 9):
                if len(data) > 20:
                    data[chance.randrange(20, min(len(data), chance.choice((64, 1024, len(whole)))))] = \
                        chance.choice((0, 0xff, 0x7f, chance.randrange(256)))
            with open(damaged, "wb") as file:
                file.write(data)
            done = subprocess.run([TOOL, "audit", "--json", damaged], capture_output=True, timeout=60)
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)


class Lists(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(programs.SOURCE, "shims", "blocking.def")) as file:
            text = re.sub(r"^\s*(//|#).*$", "", file.read(), flags=re.M)
        self.groups = re.findall(r"^TENDRIL_BLOCKING_GROUP\((\w+), (\w+), ", text, re.M)
        self.blocking = re.findall(r"^TENDRIL_BLOCKING\((\w+), (\w+)\)$", text, re.M)
        self.offloaded = re.findall(r"^TENDRIL_OFFLOADED\((\w+)\)$", text, re.M)
        self.assertEqual(len(self.groups) + len(self.blocking) + len(self.offloaded), text.count("TENDRIL_"))

    def test_nothing_is_said_twice(self):
        names = [name for name, _ in self.blocking]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({group for _, group in self.blocking} - {group for group, _ in self.groups}, set())

    def test_nothing_that_the_shim_has_bypasses_it(self):
        self.assertEqual(sorted({name for name, _ in self.blocking} & set(ledger.names())), [],
                         "take them out of shims/blocking.def")

    def test_what_is_not_worth_it_fails_nobody(self):
        """What docs/shims.md says never waits, or too little, does not make audit fail."""
        becomes = dict(self.groups)
        said = {name for title in (not_replaced.NEVER_WAIT, not_replaced.TOO_LITTLE)
                for names, _ in not_replaced.NOT_REPLACED[title] for name in re.findall(r"`(\w+)`", names)}
        self.assertEqual({name for name, group in self.blocking
                          if becomes[group] == "bypassing" and name in said}, set())

    def test_what_is_offloaded_is_the_shims(self):
        self.assertEqual(set(self.offloaded) - set(ledger.functions()), set())

    def test_libc_has_every_name(self):
        _, symbols = ledger_test.libc_symbols()
        self.assertEqual({name for name, _ in self.blocking} - set(symbols), set())


if __name__ == "__main__":
    unittest.main()
