import Foundation
import TestSupport
import Testing

@testable import Runtime

@Suite("Control groups and memory")
struct ControlGroupTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The limit of a process that is listed in groups, whose files lie under `root`.
  private func limit(_ list: String, _ files: [String: String]) throws -> Int? {
    for (name, text) in files { try directory.write(text, to: "root/\(name)") }
    return ControlGroup(list: try directory.write(list, to: "list"), root: directory.file("root")).memoryLimit
  }

  @Test("R05: of a group of version 2 and those around it the lowest limit counts, hard or soft")
  func version2() throws {
    let files = [
      "memory.max": "max\n", "job/memory.max": "8589934592\n", "job/memory.high": "4294967296\n",
      "job/step/memory.max": "max\n", "job/step/memory.high": "max\n", "other/memory.max": "1\n",
    ]
    #expect(try limit("0::/job/step\n", files) == 4 << 30)
    #expect(try limit("0::/job/step/missing\n", [:]) == 4 << 30)
    #expect(try limit("0::/\n", [:]) == nil)
  }

  @Test("R05: of version 1 that of the memory's hierarchy counts, also where a container hides the groups around it")
  func version1() throws {
    let list = "12:cpu,cpuacct:/cpu\n4:memory:/docker/abc\n1:name=systemd:/memory\n0::/unified\n"
    let files = [
      "memory/memory.limit_in_bytes": "1073741824\n", "memory.max": "5\n", "unified/memory.max": "max\n",
      "memory/memory/memory.limit_in_bytes": "7\n",
    ]
    #expect(try limit(list, files.filter { $0.key != "memory.max" }) == 1 << 30)
    #expect(try limit(list, ["memory/docker/abc/memory.limit_in_bytes": "536870912\n"]) == 512 << 20)
    // What stands for no limit there is more than any machine has.
    let unlimited = ["memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n"]
    #expect(try limit("4:memory:/docker/abc\n", unlimited) == 1 << 30)
  }

  @Test(
    "R05: files that say nothing, or nonsense, are no limit",
    arguments: ["", "max", "lots\n", "-1", "99999999999999999999", "1 2", "\u{0}"])
  func nonsense(text: String) throws {
    #expect(try limit("0::/a\n", ["memory.max": text, "a/memory.max": text, "a/memory.high": text]) == nil)
    #expect(try limit(text, ["memory.max": text]) == nil)
  }

  @Test("R05: a list that cannot be read, or points out of what can be seen, leaves the topmost group")
  func unreadable() throws {
    try directory.write("4096\n", to: "root/memory.max")
    try directory.write("1\n", to: "memory.max")
    #expect(ControlGroup(list: directory.file("none"), root: directory.file("root")).memoryLimit == 4096)
    #expect(try limit("0::/../../x\n", [:]) == 4096)
    #expect(ControlGroup(list: directory.file("none"), root: directory.file("none")).memoryLimit == nil)
  }

  @Test("R05: what is left is within the limit, and an address space without one says so")
  func machine() {
    #expect(MachineMemory.limit > 1 << 28)
    #expect((1...MachineMemory.limit).contains(MachineMemory.left))
    #expect((1...MachineMemory.limit).contains(MachineMemory.available))
    #expect((MachineMemory.addressSpaceLeft == nil) == (MachineMemory.addressSpaceLimit == nil))
  }
}
