import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Truth of a synthesized data set")
struct MiniatureTruthTests {
  private let directory: TemporaryDirectory
  private let dataset: MiniatureDataset

  init() throws {
    directory = try TemporaryDirectory()
    var options = MiniatureDataset.Options()
    options.videos = 48
    options.groupSize = 2
    options.format.size = 16
    options.format.frames = 9
    dataset = try MiniatureDataset(options)
    try dataset.write(to: directory.path) { _ in }
  }

  @Test("each video's clip is read back as it was rendered, of those asked for")
  func values() throws {
    let items = dataset.items.filter { $0.path.hasPrefix("benchmark/") }
    let truth = try #require(try MiniatureTruth(dataFolder: directory.path, videos: Set(items.map(\.path))))
    #expect(truth.clips.count == items.count && items.count == 112)
    for item in items { #expect(truth.clips[item.path] == item.clip) }
  }

  @Test("a folder without the table has no truth")
  func absent() throws {
    #expect(try MiniatureTruth(dataFolder: TemporaryDirectory().path, videos: []) == nil)
  }

  @Test(
    "D07: rows that nothing can be rendered from are refused with their number",
    arguments: [
      "v,1,ball,halves,red,zoom_in,fast,0", "v,1,ball,halves,red,zoom_in,nan,0", "v,1,ball,halves,red,zoom_in,1,-1",
      "v,-1,ball,halves,red,zoom_in,1,0", "v,1,cube,halves,red,zoom_in,1,0", "v,1,ball,dots,red,zoom_in,1,0",
      "v,1,ball,halves,black,zoom_in,1,0", "v,1,ball,halves,red,melt,1,0", "v,1,ball",
    ])
  func refusals(row: String) throws {
    let header = "video_paths,seed,shape,pattern,color,kind,speed,onset\n"
    let folder = try TemporaryDirectory()
    try folder.write(header + "other,x,x,x,x,x,x,x\n" + row + "\n", to: MiniatureTruth.fileName)
    let failure = #expect(throws: DatasetFailure.self) {
      try MiniatureTruth(dataFolder: folder.path, videos: ["v"])
    }
    #expect(failure?.message.contains("row 3") == true)
    try folder.write("video_paths,seed\nv,1\n", to: MiniatureTruth.fileName)
    #expect(throws: DatasetFailure.self) { try MiniatureTruth(dataFolder: folder.path, videos: ["v"]) }
  }
}
