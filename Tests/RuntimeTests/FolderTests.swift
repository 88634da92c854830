import Foundation
import TestSupport
import Testing

@testable import Runtime

@Suite("Folders that are filled at once")
struct FolderTests {
  private struct Stop: Error {}
  private let directory: TemporaryDirectory
  private var path: String { directory.file("new") }
  private var all: [String] {
    get throws { try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() }
  }

  init() throws { directory = try TemporaryDirectory() }

  private func fill(_ names: [String], failing: Bool = false) throws {
    try Folder.fill(path, with: ["a", "b", "index"]) { temporary in
      for name in names { try AtomicFile.write(Data(name.utf8), to: "\(temporary)/\(name)") }
      #expect(try FileManager.default.contentsOfDirectory(atPath: path).allSatisfy { $0.hasPrefix(".partial-") })
      if failing { throw Stop() }
    }
  }

  @Test("the named entries appear, and nothing else that was written; a failure leaves nothing, not even the folder")
  func fills() throws {
    #expect(throws: Stop.self) { try fill(["a", "index"], failing: true) }
    #expect(try all == [])
    try fill(["a", "index", "scratch"])
    #expect(try all == ["new", "new/a", "new/index"])
  }

  @Test("a folder that was there stays after a failure; what a killed process left in it goes")
  func present() throws {
    // Process numbers end far below.
    try directory.write("half", to: "new/.partial-\(Int32.max - 1)-.contents/a")
    #expect(throws: Stop.self) { try fill(["a"], failing: true) }
    #expect(try all == ["new"])
  }

  @Test("entries that came meanwhile are kept")
  func meanwhile() throws {
    let failure = FileFailure(path: "\(path)/b", action: "put it here", code: EEXIST)
    #expect(throws: failure) {
      try Folder.fill(path, with: ["a", "b"]) { temporary in
        for name in ["a", "b"] { try AtomicFile.write(Data("mine".utf8), to: "\(temporary)/\(name)") }
        try directory.write("other's", to: "new/b")
      }
    }
    #expect(try all == ["new", "new/b"])
    #expect(try String(contentsOfFile: "\(path)/b", encoding: .utf8) == "other's")
  }

  @Test("names of one place resolve to the same path, whether anything is there or not")
  func resolved() throws {
    try Folder.make(directory.file("real/inner"))
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("link"), withDestinationPath: directory.file("real"))
    let root = Folder.resolved(directory.path)
    for (name, expected) in [
      ("link", "real"), ("link/inner/", "real/inner"), ("link/new/deep", "real/new/deep"),
      ("real/./inner/../none", "real/none"), ("none/../link", "real"),
    ] {
      #expect(Folder.resolved(directory.file(name)) == "\(root)/\(expected)", "\(name)")
    }
    #expect(Folder.resolved("/") == "/" && Folder.resolved("/no-such-folder") == "/no-such-folder")
  }
}
