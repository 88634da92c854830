import Foundation
import Runtime
import TestSupport
import Testing

@testable import Datasets

@Suite("Manifest")
struct ManifestTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ text: String, limit: BadLimit = .share(1)) throws -> Manifest {
    try Manifest(path: directory.write(text, to: "vap_data.csv"), limit: limit)
  }

  @Test("a row in VAP-Data's layout is read as it stands")
  func row() throws {
    let manifest = try read(
      header + "\nvfx/a.mp4,\"[\"\"vfx/b.mp4\"\", \"\"./vfx//a.mp4\"\"]\",\"A car,\nmelting\",melt,train,87.5\n")
    #expect(manifest.count == 1)
    #expect(
      manifest[0]
        == Manifest.Row(
          video: "vfx/a.mp4", references: ["vfx/b.mp4", "vfx/a.mp4"], caption: "A car,\nmelting", condition: "melt",
          category: "vfx", split: "train", score: 87.5, isValid: true))
    #expect(manifest.digest == (try ContentDigest(ofFile: manifest.path)))
  }

  @Test("D01: an empty file and a header alone are refused, a mark and CR LF are not seen")
  func emptyTables() throws {
    #expect(message { _ = try read("") }.contains("empty"))
    #expect(message { _ = try read(header + "\n") }.contains("no row follows the header"))
    let manifest = try read("\u{FEFF}" + header + "\r\na.mp4,[],x,k,train,1\r\n")
    #expect(manifest[0].video == "a.mp4")
  }

  @Test("D01: NUL and text that is not UTF-8 make a bad row, not a bad file")
  func badText() throws {
    var bytes = Array((header + "\na.mp4,[],x,k,train,1\nb.mp4,[],").utf8)
    bytes += [0, 0x2C] + Array("k,train,1\nc.mp4,[],".utf8) + [0xFF, 0x2C] + Array("k,train,1\n".utf8)
    let path = try directory.write(bytes, to: "vap_data.csv")
    let manifest = try Manifest(path: path, limit: .share(1))
    #expect(manifest.count == 1)
    #expect(manifest.bad.items.map(\.row) == [3, 4])
    #expect(manifest.bad.items.map(\.video) == ["b.mp4", "c.mp4"])
    #expect(manifest.bad.items[0].reason.contains("NUL"))
    #expect(manifest.bad.items[1].reason.contains("UTF-8"))
  }

  @Test("D02: columns stand in any order beside others; a missing or doubled one is named")
  func columns() throws {
    let manifest = try read(
      "extra,kind,split,reference_alignment_score,video_paths,tar_video_caption,ref_video_paths,category\n"
        + "?,melt,train,50,a.mp4,text,[],concept\n")
    #expect(manifest[0].condition == "melt")
    #expect(manifest[0].category == "concept")
    #expect(message { _ = try read("video_paths,kind\na,b\n") }.contains("no column 'ref_video_paths'"))
    #expect(message { _ = try read(header + ",kind\na,[],b,c,train,1,d\n") }.contains("two columns are named 'kind'"))
    // Columns that nothing reads may repeat.
    #expect(try read(header + ",x,x\na.mp4,[],b,c,train,1,d,e\n").count == 1)
  }

  @Test("rows of another length, and lists that are no lists, are bad")
  func badRows() throws {
    let manifest = try read(
      header + "\na.mp4,[],x,k,train\nb.mp4,not json,x,k,train,1\nc.mp4,[1],x,k,train,1\nd.mp4,,x,k,train,1\n"
        + ",[],x,k,train,1\ne.mp4,[],x,,train,1\n")
    #expect(manifest.count == 1)
    #expect(manifest[0].video == "d.mp4")
    #expect(manifest.bad.count == 5)
    #expect(manifest.bad.items[0].reason == "has 5 fields where the first row has 6")
  }

  @Test(
    "D06: a score that is empty, not a number, text or out of range makes a bad row",
    arguments: ["", "nan", "high", "-1", "100.5", "inf", "1e400"])
  func scores(score: String) throws {
    let manifest = try read(header + "\na.mp4,[],x,k,train,\(score)\nb.mp4,[],x,k,train,0\n")
    #expect(manifest.count == 1)
    #expect(manifest.bad.items.first?.row == 2)
    #expect(manifest.bad.items.first?.reason.contains("reference_alignment_score") == true)
  }

  @Test("D03: more bad rows than 'max-bad' allows end the reading, with the first by name")
  func tooManyBad() throws {
    let rows = (0..<199).map { "v\($0).mp4,[],x,k,train,1" } + ["bad.mp4,[],x,k,train,?"]
    let text = ([header] + rows).joined(separator: "\n")
    #expect(try read(text, limit: .usual).bad.count == 1)
    let worse = text + "\nworse.mp4,[],x,k,train,?\nworst.mp4,[],x,k,train,?\n"
    let found = message { _ = try read(worse, limit: .usual) }
    #expect(found.contains("3 of 202 cannot be used, more than the 1% that 'max-bad' allows"))
    #expect(found.contains("row 201: bad.mp4"))
  }

  @Test("D07: paths that leave the data folder make bad rows", arguments: ["/etc/passwd", "../x.mp4", "a/../../x.mp4"])
  func outsidePaths(path: String) throws {
    let manifest = try read(header + "\n\(path),[],x,k,train,1\nok.mp4,\"[\"\"\(path)\"\"]\",x,k,train,1\n")
    #expect(manifest.count == 1)
    #expect(manifest[0].references.isEmpty)
  }

  @Test("D08: the same video again, in whatever spelling, makes a bad row; the first one counts")
  func duplicates() throws {
    let manifest = try read(header + "\na.mp4,[],one,k,train,1\n./a.mp4,[],two,k,train,1\na.mp4,[],three,k,train,1\n")
    #expect(manifest.count == 1)
    #expect(manifest[0].caption == "one")
    #expect(manifest.bad.count == 2)
  }

  @Test("D08: two million rows take less than a gibibyte", .timeLimit(.minutes(5)))
  func millionsOfRows() throws {
    let path = directory.file("vap_data.csv")
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.write(contentsOf: Data((header + "\n").utf8))
    let caption = String(repeating: "x", count: 40)
    for block in 0..<200 {
      var text = ""
      for row in block * 10_000..<(block + 1) * 10_000 {
        text += "vfx/\(row).mp4,\"[\"\"vfx/\(row + 1).mp4\"\"]\",\(caption),kind \(row % 100),train,80\n"
      }
      try handle.write(contentsOf: Data(text.utf8))
    }
    try handle.close()
    let manifest = try Manifest(path: path)
    #expect(manifest.count == 2_000_000)
    #expect(manifest.memoryByteCount < 1 << 30)
    #expect(manifest[1_234_567].references == ["vfx/1234568.mp4"])
    let sampler = PairSampler(try PairPool(manifest, PairingRules()), PairingRules())
    #expect(sampler.pool.count == 2_000_000)
    #expect(Set((0..<1000).map { sampler.sample($0).target }).count == 1000)
  }

  @Test("D09: a manifest that was edited is not the one that a run began with")
  func edited() throws {
    let digest = try read(header + "\na.mp4,[],x,k,train,1\n").digest.description
    try read(header + "\na.mp4,[],x,k,train,1\n").checkUnchanged(since: digest)
    let other = try read(header + "\na.mp4,[],x,k,train,2\n")
    #expect(throws: DatasetFailure.self) { try other.checkUnchanged(since: digest) }
    #expect(message { try other.checkUnchanged(since: digest) }.contains("was changed since the run began"))
  }

  @Test("a folder stands for the manifest in it")
  func find() throws {
    let path = try directory.manifest([TableRow(video: "a.mp4")])
    #expect(try Manifest.find(directory.path) == path)
    #expect(try Manifest.find(path) == path)
    #expect(message { _ = try Manifest.find("/nonexistent") }.contains("/nonexistent"))
  }

  @Test("limits are numbers or percentages")
  func limits() {
    #expect(BadLimit("1%") == .share(0.01))
    #expect(BadLimit("12") == .count(12))
    for text in ["", "-1", "101%", "x%", "1.5"] { #expect(BadLimit(text) == nil, "\(text)") }
    #expect(BadLimit.share(0.01).allows(1, of: 100))
    #expect(!BadLimit.share(0.01).allows(1, of: 99))
    #expect(BadLimit.count(0).allows(0, of: 0))
  }
}

@Suite("Data folder")
struct DataFolderTests {
  @Test("D07: a link out of the folder is refused unless links are followed; one within it is not")
  func links() throws {
    let (inside, outside) = (try TemporaryDirectory(), try TemporaryDirectory())
    try outside.write("secret", to: "x.mp4")
    try inside.write("mine", to: "a/y.mp4")
    symlink(outside.file("x.mp4"), inside.file("out.mp4"))
    symlink("a/y.mp4", inside.file("in.mp4"))
    symlink(outside.path, inside.file("folder"))
    let folder = try DataFolder(inside.path)
    #expect(throws: DatasetFailure.outside(path: "out.mp4", root: inside.path)) { try folder.file("out.mp4") }
    #expect(throws: DatasetFailure.outside(path: "folder/x.mp4", root: inside.path)) { try folder.file("folder/x.mp4") }
    #expect(throws: DatasetFailure.outside(path: "../x.mp4", root: inside.path)) { try folder.file("../x.mp4") }
    #expect(try folder.file("in.mp4") == inside.path + "/in.mp4")
    #expect(try DataFolder(inside.path, followsLinks: true).file("out.mp4") == inside.path + "/out.mp4")
    #expect(throws: FileFailure.self) { try folder.file("none.mp4") }
    #expect(throws: FileFailure.self) { try DataFolder("/nonexistent") }
  }
}
