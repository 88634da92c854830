import Checkpoints
import Foundation
import Media
import Synchronization
import TestSupport
import Testing

@testable import Commands

/// Runs `vap eval --judge` as a process of its own, which SIGKILL can reach, against a service on this machine.
@Suite("A judge under SIGKILL", .serialized)
struct JudgeSignalTests {
  private static let rows = 6
  private static let variable = "VAP_TEST_JUDGE_KEY"
  private static let key = "sk-never-to-be-written-0123456789"
  private let directory: TemporaryDirectory
  private let program: String

  init() throws {
    directory = try TemporaryDirectory()
    program = try BuiltProgram.path()
    var table = "ref_video_caption,video_paths,ref_video_path,tar_video_caption,kind\n"
    try directory.write("", to: "data/.keep")
    try directory.write("", to: "done/.keep")
    for row in 0..<Self.rows {
      let pixels = (0..<64 * 64 * 3 * 5).map { UInt8(($0 * (row + 3) / 7) % 251) }
      let clip = VideoClip(size: FrameSize(width: 64, height: 64), frameRate: .training, pixels: pixels)
      try VideoWriter.write(clip, to: directory.file("data/\(row).mkv"))
      try VideoWriter.write(clip, to: directory.file("done/out_\(row).mkv"))
      table += "a,\(row).mkv,\(row).mkv,b,ghibli\n"
    }
    try directory.write(table, to: "data/benchmark.csv")
    try directory.write("Score by {criteria}", to: "template.txt")
    try directory.write("style", to: "criteria/style/ghibli.txt")
  }

  /// The process under test, and the text that it printed.
  private final class Run: Sendable {
    let process: Process
    private let output = Pipe()

    init(_ program: String, _ arguments: [String], _ environment: [String: String]) throws {
      process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = arguments
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      process.standardOutput = output
      process.standardError = output
      try process.run()
    }

    /// Waits for the end.
    func text() throws -> String {
      let data = try output.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      return String(decoding: data, as: UTF8.self)
    }
  }

  private func start(_ server: LocalServer, out: String, perMinute: Int = 60_000) throws -> Run {
    try directory.write(
      """
      name: local
      dialect: openai
      address: http://127.0.0.1:\(server.port)/v1
      model: m
      key-variable: \(Self.variable)
      frames: 2
      side: 64
      requests-per-minute: \(perMinute)
      """, to: "judge.yaml")
    return try Run(
      program,
      [
        "eval", "--benchmark", directory.file("data"), "--videos", directory.file("done"), "--metrics", "psnr",
        "--judge", directory.file("judge.yaml"), "--no-clips", "--out", directory.file(out),
      ], [Self.variable: Self.key])
  }

  /// A score that follows from the question, and the key, as a careless service would repeat it.
  private static func answer(_ request: LocalServer.Request) -> LocalServer.Action {
    let score = request.body.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % 100 + 1
    let header = request.headers["authorization"] ?? ""
    return .answer(
      status: 200,
      body: """
        {"choices": [{"message": {"content": "\(header) {\\"score\\": \(score)}"}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
        """)
  }

  private func results(_ out: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: directory.file("\(out)/results.json")))
  }

  /// Counts requests by what distinguishes them.
  private static func counts(_ server: LocalServer) -> [String: Int] {
    server.requests.reduce(into: [:]) { $0[$1.headers["idempotency-key"] ?? "", default: 0] += 1 }
  }

  /// What a run gives that nothing disturbs.
  private func undisturbed() throws -> Data {
    let server = try LocalServer { request, _ in Self.answer(request) }
    defer { server.stop() }
    let run = try start(server, out: "whole")
    let text = try run.text()
    #expect(run.process.terminationStatus == 0 && server.requests.count == Self.rows && !text.contains(Self.key))
    return try results("whole")
  }

  private func checkKey() throws {
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
      let contents = FileManager.default.contents(atPath: directory.file(name)) ?? Data()
      #expect(contents.range(of: Data(Self.key.utf8)) == nil, "\(name)")
    }
  }

  @Test(
    "killed between a request and its answer: only that request is sent again, as the same, and none is lost",
    arguments: [0, 3, 5])
  func beforeAnswer(request: Int) throws {
    let target = Mutex<pid_t>(0)
    let server = try LocalServer { received, before in
      guard before == request else { return Self.answer(received) }
      while target.withLock({ $0 }) == 0 { usleep(1000) }
      kill(target.withLock { $0 }, SIGKILL)
      return .drop
    }
    defer { server.stop() }
    let first = try start(server, out: "out")
    target.withLock { $0 = first.process.processIdentifier }
    let text = try first.text()
    #expect(first.process.terminationReason == .uncaughtSignal && first.process.terminationStatus == SIGKILL)
    #expect(!text.contains(Self.key) && server.requests.count == request + 1)
    #expect(!FileManager.default.fileExists(atPath: directory.file("out/results.json")))
    let second = try start(server, out: "out")
    _ = try second.text()
    #expect(second.process.terminationStatus == 0)
    let counts = Self.counts(server)
    #expect(counts.count == Self.rows && counts.values.sorted() == [1, 1, 1, 1, 1, 2])
    let keys = server.requests.map { $0.headers["idempotency-key"] }
    #expect(keys[request] == keys[request + 1])
    #expect(try results("out") == undisturbed())
    try checkKey()
  }

  @Test("killed after an answer: no request is sent twice and none is lost", arguments: [1, 2])
  func afterAnswer(answers: Int) throws {
    let server = try LocalServer { request, _ in Self.answer(request) }
    defer { server.stop() }
    // Five seconds lie between requests, in which the process is killed.
    let first = try start(server, out: "out", perMinute: 12)
    let kept = directory.file("out/judge/local")
    for _ in 0..<30_000 {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: kept)) ?? []
      // Names that begin with a dot are still being written.
      if names.count(where: { !$0.hasPrefix(".") && $0.hasSuffix(".answer-0.json") }) == answers { break }
      usleep(1000)
    }
    kill(first.process.processIdentifier, SIGKILL)
    _ = try first.text()
    #expect(first.process.terminationReason == .uncaughtSignal && server.requests.count == answers)
    let second = try start(server, out: "out")
    _ = try second.text()
    #expect(second.process.terminationStatus == 0)
    let counts = Self.counts(server)
    #expect(counts.count == Self.rows && counts.values.allSatisfy { $0 == 1 })
    #expect(try results("out") == undisturbed())
    try checkKey()
  }
}
