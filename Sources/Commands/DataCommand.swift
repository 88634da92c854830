import ArgumentParser
import Datasets
import Foundation
import Media
import Runtime

/// What is done with data sets.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Check data sets, and make them.",
    subcommands: [DataCheckCommand.self, DataBuildCommand.self, DataSynthesizeCommand.self])
}

/// Where a manifest and its videos are.
struct ManifestOptions: ParsableArguments {
  @Argument(help: "The manifest (vap_data.csv) or its folder.", completion: .file())
  var manifest: String

  @Option(help: "Folder that the manifest's paths are relative to (default: the manifest's).", completion: .directory)
  var root: String?

  @Flag(help: "Follow links that lead out of the data folder.") var followLinks = false

  /// The manifest's path and the data folder.
  func found() throws -> (path: String, folder: DataFolder) {
    let path = try Manifest.find(manifest)
    let root = root ?? URL(fileURLWithPath: path).deletingLastPathComponent().path
    return (path, try DataFolder(root, followsLinks: followLinks))
  }
}

extension BadLimit: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  package var defaultValueDescription: String { description }
}

struct DataCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Decode all videos of a manifest and count them by category and condition.",
    discussion: """
      Every row of the table and every video is looked at; what training could not use is listed. The status is 1 if \
      that is more than --max-bad.

      Example: vap data check data/VAP-Data --json > report.json
      """)

  @OptionGroup var manifest: ManifestOptions

  @Option(help: "Rows and videos that may be bad before the status is 1: a number or a percentage.")
  var maxBad = BadLimit.count(0)

  @Flag(inversion: .prefixedNo, help: "Decode every frame; otherwise files only have to be there.") var decode = true

  @Flag(help: "Leave damaged frames out instead of refusing their video.") var skipDamaged = false

  @Flag(help: "Print JSON.") var json = false

  @OptionGroup var compute: ComputeOptions

  func run() throws {
    compute.apply()
    let (path, folder) = try manifest.found()
    let printer = ProgressPrinter()
    defer { printer.finish() }
    var reading = ReadingOptions()
    reading.onCorruption = skipDamaged ? .skip : .fail
    let report = try DataCheck.run(
      Manifest(path: path, limit: .share(1)), in: folder, depth: decode ? .frames : .presence, reading: reading
    ) { printer.show($0) }
    printer.finish()
    if json {
      print(String(decoding: try report.json(), as: UTF8.self))
    } else {
      for line in report.lines { print(line) }
    }
    guard maxBad.allows(report.bad.count, of: report.manifest.totalCount) else { throw ExitCode(1) }
  }
}

struct DataBuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build",
    abstract: "Make a manifest from folders of videos with captions.",
    discussion: """
      The folder holds condition/video.mp4, or category/condition/video.mp4, each with its caption in video.txt beside it. \
      Writes vap_data.csv into the folder and, if videos are kept for tests, benchmark/benchmark.csv.

      Example: vap data build my-effects --test-share 0.1
      """)

  @Argument(help: "The folder.", completion: .directory)
  var directory: String

  @Option(help: "Share of each condition's videos that is not trained on, from 0 to less than 1.") var testShare = 0.0
  @Option(help: "Score of all videos, 0 to 100: how well they show their condition.") var score = 100.0
  @Option(help: "References listed for a video, at most.") var references = 10
  @Option(help: "Seed of the choice of test videos.") var seed: UInt64 = 42
  @Flag(help: "Replace existing tables.") var overwrite = false

  func run() throws {
    var options = DatasetBuilder.Options()
    options.testShare = testShare
    options.score = score
    options.referenceCount = references
    options.seed = seed
    let builder = try DatasetBuilder(root: directory, options)
    let tables = try builder.build()
    let printer = ProgressPrinter()
    for warning in tables.warnings { printer.show(.warning(warning)) }
    let files = try builder.write(tables, overwrites: overwrite)
    for file in files { print(file) }
    let conditions = Set(tables.rows.map(\.condition)).count
    print("\(tables.rows.count) videos in \(conditions) conditions, \(tables.benchmark.count) of them for tests")
  }
}
