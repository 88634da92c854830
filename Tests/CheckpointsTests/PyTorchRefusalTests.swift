import Compute
import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// The catalogue of hostile and broken PyTorch files.
@Suite("PyTorch files that are refused")
struct PyTorchRefusalTests {
  private typealias Bytes = PyTorchBytes

  @Test(
    "every recorded bad file gives its own error",
    arguments: [
      ("bad_builtins_eval", PyTorchError.Problem.forbiddenGlobal("builtins.eval")),
      ("bad_os_system", .forbiddenGlobal("os.system")),
      ("bad_stack_global", .forbiddenInstruction("PROTO 4")),
      ("bad_missing_storage", .missingRecord("head_zip/data/0")),
      ("bad_short_storage", .storageSize(key: "0", needed: 3072, found: 100)),
      ("bad_view_out_of_range", .outsideStorage(tensor: "w", elements: 4)),
      ("bad_truncated_pickle", .cutShort),
      ("bad_truncated_zip", .noCentralDirectory),
      ("bad_not_a_model", .otherFormat(.gitLFSPointer)),
    ])
  func recordedFiles(name: String, expected: PyTorchError.Problem) throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("evaluation/loader/\(name).pth")))
    #expect(try pyTorchProblem(Array(bytes)) == expected)
  }

  // MARK: P01

  @Test(
    "P01: a pickle that would run something is refused with advice, and runs nothing",
    arguments: [
      ("os", "system"), ("posix", "system"), ("builtins", "exec"), ("subprocess", "Popen"), ("torch", "load"),
    ])
  func runsNothing(module: String, name: String) throws {
    let directory = try TemporaryDirectory()
    let trace = directory.file("trace")
    let call =
      Bytes.global(module, name) + Bytes.mark + Bytes.text("touch \(trace)") + [Bytes.ascii("t"), Bytes.ascii("R")]
    for bytes in [[0x80, 2] + call + Bytes.stop, Bytes.archive(pickle: [0x80, 2] + call + Bytes.stop)] {
      let path = try directory.write(bytes, to: "a.pth")
      let error = #expect(throws: PyTorchError.self) { try PyTorchReader(path: path) }
      #expect(error?.problem == .forbiddenGlobal("\(module).\(name)"))
      #expect(error?.message.contains("convert it to safetensors") == true)
      #expect(!FileManager.default.fileExists(atPath: trace))
    }
  }

  @Test("P01: a model directory with pickled weights only is refused with the same advice")
  func directoryOfPickles() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Bytes.archive(), to: "pytorch_model.bin")
    let error = #expect(throws: CheckpointError.self) { try WeightStore(directory: directory.path) }
    #expect(error?.message.contains("convert them to safetensors") == true)
  }

  @Test("P01: every instruction outside of the closed list is refused", arguments: 0...255)
  func closedInstructions(code: Int) throws {
    let allowed: Set<UInt8> = Set(
      ".(NJKMGX)t]ae}suqrhjcQRb".utf8.map { $0 } + [0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A])
    let problem = try pyTorchProblem(Bytes.archive(pickle: [0x80, 2, UInt8(code)]))
    if case .forbiddenInstruction = problem {
      #expect(!allowed.contains(UInt8(code)))
    } else {
      #expect(allowed.contains(UInt8(code)))
      #expect(problem != nil)
    }
  }

  // MARK: P02

  @Test(
    "P02: records whose paths lead elsewhere are refused",
    arguments: ["../evil", "model/../../evil", "/etc/passwd", "model\\..\\evil", "model/\0", ""])
  func unsafeNames(name: String) throws {
    let problem = try pyTorchProblem(Bytes.archive { $0.append(Bytes.Record(name: name, data: [1])) })
    switch problem {
    case .unsafeRecordName(name): break
    default: #expect(name.isEmpty && problem == .damagedArchive("a record's name is not text"))
    }
  }

  @Test("P02: two records of one name are refused, and names that differ between header and directory")
  func ambiguousNames() throws {
    #expect(
      try pyTorchProblem(Bytes.archive { $0.append(Bytes.Record(name: "model/data/0", data: [1])) })
        == .repeatedRecord("model/data/0"))
    #expect(
      try pyTorchProblem(Bytes.archive { $0[2].localName = "model/data/1" })
        == .damagedArchive("the record 'model/data/0' disagrees with the directory"))
    #expect(
      try pyTorchProblem(Bytes.archive { $0.append(Bytes.Record(name: "other/data.pkl", data: Bytes.pickle())) })
        == .missingRecord("data.pkl"))
  }

  // MARK: P03

  @Test("P03: compressed records are refused before a byte of them is expanded")
  func compressedRecords() throws {
    let problem = try pyTorchProblem(
      Bytes.archive {
        $0[2].method = 8
        $0[2].statedSize = 0xFFFF_FFF0
        $0[2].statedCompressedSize = 24
      })
    #expect(problem == .compressedRecord("model/data/0", method: 8))
  }

  @Test("P03: a record inside of another is refused")
  func overlappingRecords() throws {
    let inside = Bytes.archive([Bytes.Record(name: "model/data/1", data: [1, 2, 3, 4])]).prefix(30 + 12 + 4)
    let problem = try pyTorchProblem(
      Bytes.archive { records in
        let start = records[..<2].reduce(0) { $0 + 30 + $1.name.utf8.count + $1.data.count }
        records[2].data = Array(inside)
        records[3].name = "model/data/1"
        records[3].data = [1, 2, 3, 4]
        records[3].statedOffset = UInt32(start + 30 + records[2].name.utf8.count)
      })
    #expect(problem == .overlappingRecords("model/data/0", "model/data/1"))
  }

  @Test("P03: dictionaries that hold each other twice, 2^60 tensors in all, are refused in a moment")
  func referenceBomb() throws {
    var pickle: [UInt8] = [0x80, 2, Bytes.ascii("}")] + Bytes.text("0")
    pickle += Bytes.tensor(key: "0", count: 6, sizes: [6], strides: [1]) + [Bytes.ascii("q"), 0, Bytes.ascii("s")]
    for level: UInt8 in 1...60 {
      pickle += Bytes.text("\(level)") + [Bytes.ascii("}"), Bytes.ascii("q"), level] + Bytes.mark
      for key in ["a", "b"] { pickle += Bytes.text(key) + [Bytes.ascii("h"), level - 1] }
      pickle += [Bytes.ascii("u"), Bytes.ascii("s")]
    }
    let bytes = Bytes.archive(pickle: pickle + Bytes.stop)
    let start = ContinuousClock.now
    #expect(try pyTorchProblem(bytes) == .tooManyValues(limit: 200_000))
    #expect(ContinuousClock.now - start < .seconds(2))
  }

  @Test("P03: a dictionary that holds itself ends the walk")
  func cycle() throws {
    let pickle: [UInt8] =
      [0x80, 2, Bytes.ascii("}"), Bytes.ascii("q"), 0] + Bytes.text("self")
      + [Bytes.ascii("h"), 0, Bytes.ascii("s")] + Bytes.stop
    #expect(try pyTorchProblem(Bytes.archive(pickle: pickle)) == .tooDeep(limit: 64))
  }

  @Test("P03: a million nested tuples do not exhaust the stack")
  func deepNesting() throws {
    let pickle = [0x80, 2, Bytes.ascii(")")] + [UInt8](repeating: 0x85, count: 1_000_000) + Bytes.stop
    #expect(try pyTorchProblem(Bytes.archive(pickle: pickle)) == .noTensors)
  }

  // MARK: P04

  @Test(
    "P04: an archive with a 64-bit end record opens, and one whose end records disagree is refused", arguments: 0..<3)
  func largeEnd(field: Int) throws {
    let records = [
      Bytes.Record(name: "model/data.pkl", data: Bytes.pickle()),
      Bytes.Record(name: "model/data/0", data: [UInt8](repeating: 0, count: 24)),
    ]
    #expect(try pyTorchProblem(Bytes.archive(records, large: { _ in })) == nil)
    // The short record may leave its fields to the long one.
    #expect(try pyTorchProblem(Bytes.archive(records, end: { $0[field] = .max }, large: { _ in })) == nil)
    #expect(try pyTorchProblem(Bytes.archive(records, end: { $0[field] = .max })) != nil)
    #expect(
      try pyTorchProblem(Bytes.archive(records, large: { $0[field] += 1 }))
        == .damagedArchive("its two end records disagree"))
    #expect(try pyTorchProblem(Bytes.archive(records, end: { $0[field] = .max }, large: { $0[field] = .max })) != nil)
  }

  @Test("P04: a record whose sizes disagree, or lie beyond the file, is refused")
  func recordSizes() throws {
    #expect(
      try pyTorchProblem(Bytes.archive { $0[2].statedCompressedSize = 20 })
        == .damagedArchive("the record 'model/data/0' states two sizes"))
    #expect(
      try pyTorchProblem(Bytes.archive { $0[2].statedSize = 20 })
        == .damagedArchive("the record 'model/data/0' disagrees with the directory"))
    let large = Bytes.little(1 as UInt16) + Bytes.little(16 as UInt16) + Bytes.little(1 << 40 as UInt64)
    #expect(
      try pyTorchProblem(
        Bytes.archive {
          $0[2].statedSize = .max
          $0[2].extra = large + Bytes.little(1 << 40 as UInt64)
        }) == .damagedArchive("the record 'model/data/0' disagrees with the directory"))
    #expect(
      try pyTorchProblem(Bytes.archive { $0[2].statedSize = .max })
        == .damagedArchive("a directory entry ends too early"))
    #expect(
      try pyTorchProblem(
        Bytes.archive {
          $0[2].statedOffset = .max
          $0[2].extra = Bytes.little(1 as UInt16) + Bytes.little(8 as UInt16) + Bytes.little(UInt64.max)
        }) == .damagedArchive("a directory entry ends too early"))
  }

  // MARK: P05, P06

  @Test(
    "P05: a tensor that does not fit its storage is refused",
    arguments: [
      ([2, 4], [4, 1], 0), ([2, 3], [4, 1], 0), ([2, 3], [3, 1], 1), ([1 << 40, 1 << 40], [1, 1], 0),
      ([6], [1 << 62], 0),
      ([1 << 62, 2], [0, 0], 0), ([7], [0], 0), ([0], [1], 7), ([6], [1], Int.max),
    ])
  func outsideStorage(sizes: [Int], strides: [Int], offset: Int) throws {
    let pickle = Bytes.pickle(offset: offset, sizes: sizes, strides: strides)
    #expect(try pyTorchProblem(Bytes.archive(pickle: pickle)) == .outsideStorage(tensor: "weight", elements: 6))
  }

  @Test(
    "P05: a storage that is larger or smaller than the file's data is refused", arguments: [5, 7, 1 << 61, Int.max])
  func storageSize(count: Int) throws {
    guard
      case .storageSize(key: "0", _, found: 24) = try pyTorchProblem(
        Bytes.archive(pickle: Bytes.pickle(count: count, sizes: [1], strides: [1])))
    else {
      Issue.record("a storage of \(count) elements passed")
      return
    }
  }

  @Test(
    "P06: negative sizes, strides and offsets are refused",
    arguments: [([-1, 3], [3, 1], 0), ([2, 3], [-3, 1], 3), ([2, 3], [3, 1], -1), ([Int.min], [1], 0)])
  func negative(sizes: [Int], strides: [Int], offset: Int) throws {
    let pickle = Bytes.pickle(offset: offset, sizes: sizes, strides: strides)
    #expect(try pyTorchProblem(Bytes.archive(pickle: pickle)) == .negativeExtent(tensor: "weight"))
  }

  // MARK: P07

  @Test("P07: a forbidden instruction after valid tensors refuses the whole file")
  func lateInstruction() throws {
    let attack = Bytes.global("os", "system") + Bytes.mark + Bytes.text("true") + [Bytes.ascii("t"), Bytes.ascii("R")]
    #expect(try pyTorchProblem(Bytes.archive(pickle: Bytes.pickle(after: attack))) == .forbiddenGlobal("os.system"))
    #expect(
      try pyTorchProblem(Bytes.archive(pickle: Bytes.pickle(after: [0x93])))
        == .forbiddenInstruction("STACK_GLOBAL 0x93"))
    // Behind the end of the pickle another reader might go on.
    let tail = [0x80, 2] + attack + Bytes.stop
    #expect(try pyTorchProblem(Bytes.archive(pickle: Bytes.pickle() + tail)) == .trailingBytes(tail.count))
  }

  @Test("P07: state for a tensor, calls of types and made-up parameters are refused")
  func misusedNames() throws {
    let tensor = Bytes.tensor(key: "0", count: 6, sizes: [6], strides: [1])
    for attack in [
      tensor + [Bytes.ascii("}"), Bytes.ascii("b")],
      Bytes.global("torch", "FloatStorage") + [Bytes.ascii(")"), Bytes.ascii("R")],
      Bytes.global("torch._utils", "_rebuild_parameter") + Bytes.integer(1) + [0x85, Bytes.ascii("R")],
      Bytes.global("collections", "OrderedDict") + [Bytes.ascii(")"), 0x81],
    ] {
      guard case .malformedPickle = try pyTorchProblem(Bytes.archive(pickle: [0x80, 2] + attack + Bytes.stop)) else {
        Issue.record("\(attack) passed")
        continue
      }
    }
  }

  // MARK: P08

  @Test(
    "P08: archives and legacy files cut at any length are refused", arguments: ["loader_zip.pth", "loader_legacy.pth"])
  func cutFiles(name: String) throws {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("evaluation/loader/\(name)"))))
    for part in 0..<64 {
      #expect(try pyTorchProblem(Array(bytes.prefix(bytes.count * part / 64))) != nil, "\(part) of 64")
    }
    #expect(try pyTorchProblem(Array(bytes.dropLast())) != nil)
  }

  @Test(
    "P08: changed bytes give an error of one line or tensors, and never a crash",
    arguments: ["loader_zip.pth", "loader_legacy.pth"])
  func mutatedFiles(name: String) throws {
    let original = Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("evaluation/loader/\(name)"))))
    let directory = try TemporaryDirectory()
    var generator = RandomGenerator(seed: 8)
    for round in 0..<500 {
      var bytes = original
      for _ in 0...round % 3 {
        bytes[generator.drawIndex(below: bytes.count)] = UInt8(generator.drawIndex(below: 256))
      }
      _ = try pyTorchProblem(bytes, in: directory)
    }
  }

  @Test("trailing bytes, storages of no tensor and storages listed twice are refused in the legacy layout")
  func legacyAccounting() throws {
    let object = Bytes.pickle(count: 2, sizes: [2], strides: [1])
    let data = [UInt8](repeating: 0, count: 8)
    #expect(try pyTorchProblem(Bytes.legacy(object: object, storages: [("0", 2, data)])) == nil)
    #expect(try pyTorchProblem(Bytes.legacy(object: object, storages: [("0", 2, data)]) + [1]) == .trailingBytes(1))
    #expect(
      try pyTorchProblem(Bytes.legacy(object: object, storages: [("0", 2, data), ("0", 2, data)]))
        == .repeatedRecord("0"))
    #expect(
      try pyTorchProblem(Bytes.legacy(object: object, storages: [("1", 2, data)]))
        == .malformedPickle("it lists a storage of no tensor"))
    #expect(try pyTorchProblem(Bytes.legacy(object: object, storages: [("0", 1 << 62, data)])) == .cutShort)
    #expect(try pyTorchProblem(Bytes.legacy(object: object, storages: [])) == .missingRecord("0"))
  }

  @Test("a view of another storage, as only very old versions wrote, is refused by name")
  func storageViews() throws {
    let view = Bytes.mark + Bytes.text("1") + Bytes.integer(0) + Bytes.integer(2) + [Bytes.ascii("t")]
    let object =
      [0x80, 2, Bytes.ascii("}")] + Bytes.text("w")
      + Bytes.tensor(key: "0", count: 2, sizes: [2], strides: [1], view: view) + [Bytes.ascii("s")] + Bytes.stop
    #expect(
      try pyTorchProblem(Bytes.legacy(object: object, storages: [("0", 2, [UInt8](repeating: 0, count: 8))]))
        == .storageView(key: "0"))
  }

  @Test("big-endian archives are refused")
  func bigEndian() throws {
    #expect(try pyTorchProblem(Bytes.archive { $0[1].data = Array("big".utf8) }) == .bigEndian)
  }
}
