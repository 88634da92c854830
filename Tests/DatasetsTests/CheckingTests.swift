import Foundation
import Runtime
import TestSupport
import Testing

@testable import Datasets

@Suite("Data check")
struct DataCheckTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func check(_ rows: [TableRow], depth: DataCheck.Depth = .frames) throws -> DataCheck.Report {
    let manifest = try Manifest(path: directory.manifest(rows), limit: .share(1))
    return try DataCheck.run(manifest, in: DataFolder(directory.path), depth: depth) { _ in }
  }

  @Test("D03: missing and broken videos are counted and named, whole ones are measured")
  func report() throws {
    try directory.video("style/a.mp4", frames: 8)
    try directory.video("style/b.mp4", frames: 4)
    try directory.write("not a video", to: "style/c.mp4")
    try directory.write("", to: "style/d.mp4")
    let rows = ["a", "b", "c", "d", "e"].map { TableRow(video: "style/\($0).mp4", references: #"["style/a.mp4"]"#) }
    let report = try check(rows + [TableRow(video: "x/y.mp4", references: #"["gone.mp4"]"#, kind: "lone", score: "?")])
    #expect(report.bad.count == 4)
    #expect(report.bad.items.map(\.video) == ["x/y.mp4", "style/c.mp4", "style/d.mp4", "style/e.mp4"])
    let condition = report.statistics.categories[0].conditions[0]
    #expect(condition.videos == 5)
    #expect(condition.frames == 12)
    #expect(condition.seconds == 0.75)
    #expect(condition.meanScore == 90)
    #expect(condition.splits == ["train": 5])
    #expect(report.selfReferences == 1)
    #expect(report.lines.contains { $0.contains("4 of 6 cannot be used") })
    let json = try #require(try JSONSerialization.jsonObject(with: report.json()) as? [String: Any])
    #expect(json["bad"] as? Int == 4)
    #expect(json["videos"] as? Int == 5)
  }

  @Test("files only have to be there if frames are not decoded")
  func presence() throws {
    try directory.write("not a video", to: "a.mp4")
    let report = try check([TableRow(video: "a.mp4"), TableRow(video: "b.mp4")], depth: .presence)
    #expect(report.bad.items.map(\.video) == ["b.mp4"])
    #expect(report.statistics.categories.map(\.name) == ["other"])
  }

  @Test("D04: conditions of one video are named")
  func lonely() throws {
    try directory.video("a.mp4")
    let report = try check([TableRow(video: "a.mp4", references: #"["gone.mp4"]"#)])
    #expect(report.lonelyConditions == ["melt"])
    #expect(report.unknownReferences == 1)
    #expect(report.bad.count == 0)
  }
}

@Suite("Benchmark table")
struct BenchmarkTableTests {
  private let directory: TemporaryDirectory
  private let header = "video_paths,ref_video_path,tar_video_caption,ref_video_caption"

  init() throws { directory = try TemporaryDirectory() }

  @Test("D10: the table is found where the documentation says and where the code looks, the former first")
  func places() throws {
    #expect(message { _ = try BenchmarkTable.find(in: directory.path) }.contains("benchmark/benchmark.csv and "))
    let flat = try directory.write(header + "\na.mp4,b.mp4,x,y\n", to: "benchmark.csv")
    #expect(try BenchmarkTable.find(in: directory.path) == flat)
    let nested = try directory.write(header + "\na.mp4,b.mp4,x,y\n", to: "benchmark/benchmark.csv")
    #expect(try BenchmarkTable.find(in: directory.path) == nested)
  }

  @Test("D10: fewer than 48 rows are read with a warning, none or a missing column are refused")
  func counts() throws {
    let path = try directory.write(header + "\na.mp4,b.mp4,x,y\n", to: "benchmark.csv")
    let table = try BenchmarkTable(path: path)
    #expect(table.rows[0].target == "a.mp4")
    #expect(table.rows[0].referenceCaption == "y")
    #expect(table.warning?.contains("1 rows; the published benchmark has 48") == true)
    let full = header + "\n" + (0..<48).map { "\($0).mp4,r.mp4,x,y\n" }.joined()
    #expect(try BenchmarkTable(path: directory.write(full, to: "benchmark.csv")).warning == nil)
    #expect(message { _ = try BenchmarkTable(path: directory.write(header, to: "b.csv")) }.contains("no row"))
    #expect(
      message { _ = try BenchmarkTable(path: directory.write("video_paths\na\n", to: "b.csv")) }
        .contains("no column 'ref_video_path'"))
    #expect(throws: DatasetFailure.self) {
      _ = try BenchmarkTable(path: directory.write(header + "\n../a.mp4,b.mp4,x,y\n", to: "b.csv"))
    }
  }

  @Test("D11: rows of the same target or file name get different output names")
  func outputNames() throws {
    let text = header + "\na/x.mp4,r.mp4,x,y\nb/x.mp4,r.mp4,x,y\na/x.mp4,s.mp4,x,y\n"
    let table = try BenchmarkTable(path: directory.write(text, to: "benchmark.csv"))
    #expect(table.rows.map(\.outputName) == ["000-x", "001-x", "002-x"])
  }
}

@Suite("Data build")
struct DatasetBuilderTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    for name in ["melt/a", "melt/b", "melt/c", "melt/d", "camera/orbit/a", "camera/orbit/b"] {
      try directory.write("", to: name + ".mp4")
      try directory.write("  caption of \(name), \"quoted\"\n", to: name + ".txt")
    }
    try directory.write("", to: "melt/silent.mp4")
    try directory.write("", to: "stray.mp4")
    try directory.write("one", to: "alone/a.txt")
    try directory.write("", to: "alone/a.MP4")
  }

  @Test("folders become conditions and categories, text files captions, and others references")
  func tables() throws {
    let builder = try DatasetBuilder(root: directory.path)
    let tables = try builder.build()
    #expect(tables.rows.count == 7)
    #expect(tables.warnings.count == 3)
    #expect(tables.benchmark.isEmpty)
    #expect(try builder.write(tables, overwrites: false) == [directory.file("vap_data.csv")])
    let manifest = try Manifest(path: directory.file("vap_data.csv"))
    #expect(manifest.bad.count == 0)
    let row = try #require((0..<manifest.count).map { manifest[$0] }.first { $0.video == "melt/b.mp4" })
    #expect(row.references == ["melt/c.mp4", "melt/d.mp4", "melt/a.mp4"])
    #expect(row.caption == "caption of melt/b, \"quoted\"")
    #expect(row.split == "train")
    #expect(row.score == 100)
    #expect(Set((0..<manifest.count).map { manifest[$0].category }) == ["other", "camera"])
    #expect(try PairPool(manifest, PairingRules()).count == 6)
  }

  @Test("a share of each condition is kept for tests and becomes the benchmark, the same with the same seed")
  func testShare() throws {
    var options = DatasetBuilder.Options()
    options.testShare = 0.5
    let builder = try DatasetBuilder(root: directory.path, options)
    let tables = try builder.build()
    #expect(tables.rows.count { $0.split == "test" } == 3)
    #expect(tables.benchmark.count == 3)
    let tests = Set(tables.rows.filter { $0.split == "test" }.map(\.video))
    #expect(Set(tables.benchmark.map(\.target)) == tests)
    #expect(tables.benchmark.allSatisfy { !tests.contains($0.reference) })
    #expect(tables.rows.allSatisfy { tests.isDisjoint(with: $0.references) })
    #expect(try builder.write(tables, overwrites: false).count == 2)
    #expect(try BenchmarkTable(path: BenchmarkTable.find(in: directory.path)).rows.count == 3)
    #expect(try builder.build().rows == tables.rows)
  }

  @Test("existing tables are kept unless told otherwise, and settings are checked")
  func refusals() throws {
    let builder = try DatasetBuilder(root: directory.path)
    let tables = try builder.build()
    _ = try builder.write(tables, overwrites: false)
    #expect(message { _ = try builder.write(tables, overwrites: false) }.contains("exists already"))
    _ = try builder.write(tables, overwrites: true)
    var options = DatasetBuilder.Options()
    options.testShare = 1
    #expect(throws: DatasetFailure.self) { try DatasetBuilder(root: directory.path, options) }
    let empty = try TemporaryDirectory()
    #expect(throws: DatasetFailure.self) { try DatasetBuilder(root: empty.path).build() }
    #expect(throws: FileFailure.self) { try DatasetBuilder(root: "/nonexistent").build() }
  }
}
