import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("TensorBoard events")
struct EventFileTests {
  private func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

  @Test(
    "checksums are CRC-32C: the check value of its definition, and those of RFC 3720",
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), (Array(repeating: 0, count: 32), 0x8A91_36AA),
      (Array(repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E), ([], 0),
    ] as [([UInt8], UInt32)])
  func checksum(data: [UInt8], expected: UInt32) { #expect(EventRecord.checksum(data) == expected) }

  @Test("records are the bytes that TensorBoard's own writer makes")
  func golden() {
    // Recorded from tensorboard 2.21: RecordWriter.write(Event(...).SerializeToString()).
    #expect(
      hex(EventRecord.bytes(.fileVersion, step: 0, time: 1_700_000_000.25))
        == "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9")
    #expect(
      hex(EventRecord.bytes(.start, step: 301, time: 1_700_000_000.5))
        == "100000000000000095fbfe180900002040fc54d94110ad023a020801596f3f79")
    let scalars = EventRecord.Contents.scalars([("train/loss", 0.125), ("train/learning_rate", 1e-5)])
    let expected =
      "3e00000000000000d9d240e70900004040fc54d94110f0a2042a2f0a110a0a747261696e2f6c6f7373150000003e"
      + "0a1a0a13747261696e2f6c6561726e696e675f7261746515acc5273745be99c5"
    #expect(hex(EventRecord.bytes(scalars, step: 70_000, time: 1_700_000_001)) == expected)
  }

  /// The messages of a file, whose frames are checked.
  private func messages(_ path: String) throws -> [[UInt8]] {
    var rest = Array(try Data(contentsOf: URL(fileURLWithPath: path)))[...]
    var found: [[UInt8]] = []
    while !rest.isEmpty {
      let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      let message = Array(rest.dropFirst(12).prefix(length))
      #expect(Array(rest.prefix(16 + length)) == EventRecord.framed(message))
      found.append(message)
      rest = rest.dropFirst(16 + length)
    }
    return found
  }

  @Test("every process writes a file of its own, named after those before, which begins with its first step")
  func files() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.file("events")
    let first = try EventFile(directory: folder, from: 1)
    try first.append([("train/loss", 1)], step: 1)
    try directory.write("", to: "events/events.out.tfevents.99999999999999999999.hostile")
    let second = try EventFile(directory: folder, from: 4)
    #expect(first.path < second.path)
    #expect(try messages(first.path).count == 3)
    let start = try messages(second.path)
    #expect(start.count == 2)
    // Step 4, and a session log that says START.
    #expect(Array(start[1].dropFirst(9)) == [0x10, 4, 0x3A, 2, 0x08, 1])
  }
}
