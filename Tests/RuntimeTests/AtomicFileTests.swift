import Foundation
import TestSupport
import Testing

@testable import Runtime

@Suite("AtomicFile")
struct AtomicFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() }
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: directory.file(name), encoding: .utf8)
  }

  @Test("a failing writer leaves the old file and no temporary")
  func failure() throws {
    struct Stop: Error {}
    try directory.write("old", to: "a.txt")
    #expect(throws: Stop.self) {
      try AtomicFile.write(to: directory.file("a.txt")) { temporary in
        try Data("half".utf8).write(to: URL(fileURLWithPath: temporary))
        throw Stop()
      }
    }
    #expect(try files == ["a.txt"])
    #expect(try text("a.txt") == "old")
  }

  @Test("a folder is made with those above it; a file in its place or on the way is told as such")
  func folders() throws {
    try Folder.make(directory.file("a/b/../c//d/"))
    try Folder.make(directory.file("a/c/d"))
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() == ["a", "a/b", "a/c", "a/c/d"])
    let file = try directory.write("x", to: "file")
    for path in [file, "\(file)/below"] {
      #expect(throws: FileFailure(path: path, action: "make this folder", code: ENOTDIR)) { try Folder.make(path) }
    }
  }

  @Test("a symbolic link stays a link, and its target gets the contents")
  func link() throws {
    try directory.write("old", to: "data/target.txt")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("link.txt"), withDestinationPath: directory.file("data/target.txt"))
    try AtomicFile.write(Data("new".utf8), to: directory.file("link.txt"))
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: directory.file("link.txt")).hasSuffix("target.txt"))
    #expect(try text("data/target.txt") == "new")
  }

  @Test("a pipe or a folder is never replaced")
  func notAFile() throws {
    #expect(mkfifo(directory.file("pipe"), 0o600) == 0)
    #expect(throws: FileFailure(path: directory.file("pipe"), action: "write a file here", code: EEXIST)) {
      try AtomicFile.write(Data("x".utf8), to: directory.file("pipe"))
    }
    #expect(throws: FileFailure(path: directory.path, action: "write a file here", code: EISDIR)) {
      try AtomicFile.write(Data("x".utf8), to: directory.path)
    }
    #expect(throws: FileFailure(path: "/dev/null", action: "write a file here", code: EEXIST)) {
      try AtomicFile.checkWritableTarget("/dev/null")
    }
  }

  @Test("a file that appeared meanwhile is kept unless replacing was asked for", arguments: [true, false])
  func appearedMeanwhile(replacing: Bool) throws {
    let path = directory.file("a.txt")
    func write() throws {
      try AtomicFile.write(to: path, replacing: replacing) { temporary in
        try Data("mine".utf8).write(to: URL(fileURLWithPath: temporary))
        try directory.write("other's", to: "a.txt")
      }
    }
    if replacing {
      try write()
    } else {
      #expect(throws: FileFailure(path: path, action: "put the finished file here", code: EEXIST)) { try write() }
    }
    #expect(try text("a.txt") == (replacing ? "mine" : "other's"))
    #expect(try files == ["a.txt"])
  }

  @Test("temporaries of killed processes go away; those of living ones and of other targets stay")
  func leftovers() throws {
    // Process numbers end far below.
    let dead = Int32.max - 1
    for name in [".partial-\(dead)-a.txt", ".partial-\(getppid())-a.txt", ".partial-\(dead)-b.txt", ".partial-x-a.txt"]
    {
      try directory.write("half", to: name)
    }
    try directory.write("half", to: ".partial-\(dead)-folder/frame.png")
    try AtomicFile.write(Data("new".utf8), to: directory.file("a.txt"))
    try AtomicFile.write(to: directory.file("folder")) { temporary in
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: false)
    }
    #expect(
      try files
        == [
          ".partial-\(dead)-b.txt", ".partial-\(getppid())-a.txt", ".partial-x-a.txt", "a.txt", "folder",
        ].sorted())
  }

  @Test("names as long as the file system allows are written")
  func longName() throws {
    let name = String(repeating: "n", count: 251) + ".txt"
    try AtomicFile.write(Data("new".utf8), to: directory.file(name))
    #expect(try files == [name])
  }

  @Test("a name that is too long for the file system is refused before anything is written")
  func tooLongName() throws {
    let path = directory.file(String(repeating: "n", count: 252) + ".mp4")
    let failure = FileFailure(path: path, action: "write a file here", code: ENAMETOOLONG)
    #expect(throws: failure) { try AtomicFile.checkWritableTarget(path) }
    #expect(throws: failure) { try AtomicFile.write(Data("new".utf8), to: path) }
    #expect(try files == [])
  }
}
