import Evaluation
import Foundation
import FoundationNetworking
import Media
import TestSupport
import Testing

@testable import Study

@Suite("Study server")
struct StudyServerTests {
  private static let person = "0123456789abcdef0123456789abcdef"

  /// Two systems with clips of rows 0 to 3; row 3 of the second is missing.
  private struct Scene {
    let directory: TemporaryDirectory
    let plan: StudyPlan
    let store: VoteStore

    init() throws {
      directory = try TemporaryDirectory()
      let clip = VideoClip(
        size: FrameSize(width: 16, height: 16), frameRate: .training, pixels: [UInt8](repeating: 9, count: 768 * 2))
      var systems: [StudyPlan.System] = []
      for (number, name) in ["ours", "theirs"].enumerated() {
        let folder = directory.file(name)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for row in 0..<4 - number { try directory.write("\(name) \(row)", to: "\(name)/x_\(row).mp4") }
        systems.append(.init(name: name, clips: try ClipSource(directory: folder)))
      }
      let target = directory.file("target.mkv")
      try VideoWriter.write(clip, to: target)
      let reference = try directory.write("0123456789", to: "reference.mp4")
      let samples = (0..<4).map {
        BenchmarkSample(
          row: $0, targetPath: target, targetCaption: "", referencePath: reference, referenceCaption: "")
      }
      plan = try StudyPlan(samples, systems)
      store = try VoteStore(path: directory.file("votes.sqlite"), study: plan.digest)
    }
  }

  @Test("rows that a system lacks are not asked; orders differ between people and stay for each")
  func plan() throws {
    let plan = try Scene().plan
    #expect(plan.questions.map(\.row) == [0, 1, 2])
    let people = (0..<40).map { "person-\($0)-of-the-study" }
    let orders = people.map { plan.order(for: $0, row: 1) }
    #expect(orders == people.map { plan.order(for: $0, row: 1) })
    #expect((10...30).contains(orders.count { $0 == [0, 1] }))
    #expect(Set(people.map { plan.rows(for: $0) }).count > 3)
    #expect(throws: StudyFailure.self) { try StudyPlan([], []) }
  }

  private func send(
    _ path: String, port: UInt16, _ method: String = "GET", headers: [String: String] = [:], body: String? = nil
  ) async throws -> (status: Int, body: String) {
    let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
    var request = URLRequest(url: url, timeoutInterval: 600)
    request.httpMethod = method
    // The tests beside this one may keep all threads busy.
    request.timeoutInterval = 600
    request.httpBody = body.map { Data($0.utf8) }
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let (data, response) = try await URLSession.shared.data(for: request)
    return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
  }

  @Test("a person is asked about every row once, blind, and votes are of the systems that were shown")
  func session() async throws {
    let scene = try Scene()
    let server = try StudyServer(scene.plan, scene.store, port: 0)
    let running = Task { try await server.run() }
    defer { running.cancel() }
    let port = try await server.port()
    let page = try await send("/", port: port)
    #expect(page.status == 200 && page.body.contains("<form") && !page.body.contains("ours"))
    var next = try JSONDecoder().decode(
      StudyServer.NextQuestion.self,
      from: Data(try await send("/question?participant=\(Self.person)", port: port).body.utf8))
    var chosen: [Int: String] = [:]
    while let row = next.row {
      #expect(next.letters == ["A", "B"] && chosen[row] == nil)
      let clip = try await send("/clip?participant=\(Self.person)&row=\(row)&letter=B", port: port)
      let system = String(clip.body.split(separator: " ")[0])
      #expect(clip.status == 200 && clip.body.hasSuffix(" \(row)"))
      chosen[row] = system
      let vote = #"{"participant": "\#(Self.person)", "row": \#(row), "alignment": "B", "quality": "A"}"#
      let answer = try await send(
        "/vote", port: port, "POST", headers: ["Content-Type": "application/json"], body: vote)
      next = try JSONDecoder().decode(StudyServer.NextQuestion.self, from: Data(answer.body.utf8))
    }
    #expect(next.done == 3 && chosen.count == 3)
    let votes = try scene.store.votes()
    #expect(votes.count == 6)
    for vote in votes {
      #expect((vote.system == chosen[vote.row]) == (vote.aspect == .alignment))
    }
    let image = try await send("/image?row=0", port: port)
    #expect(image.status == 200 && image.body.contains("PNG"))
    let part = try await send("/reference?row=0", port: port, headers: ["Range": "bytes=2-4"])
    #expect(part.status == 206 && part.body == "234")
    await server.stop()
  }

  @Test(
    "N07: paths outside, odd numbers, forms of other sites and long bodies are refused",
    arguments: [
      ("/clip?participant=\(person)&row=0&letter=C", "GET", nil, 404),
      ("/clip?participant=../../etc/passwd&row=0&letter=A", "GET", nil, 404),
      ("/reference?row=-1", "GET", nil, 404), ("/reference?row=99999999999999999999", "GET", nil, 404),
      ("/reference?row=../x", "GET", nil, 404), ("/../votes.sqlite", "GET", nil, 404),
      ("/question?participant=x", "GET", nil, 400),
      ("/vote", "POST", #"{"participant": "\#(person)", "row": 0, "alignment": "Z", "quality": "A"}"#, 400),
      ("/vote", "POST", #"{"participant": "\#(person)", "row": 77, "alignment": "A", "quality": "A"}"#, 400),
      ("/vote", "POST", "{}", 400), ("/vote", "POST", String(repeating: "x", count: 5000), 413),
    ] as [(String, String, String?, Int)])
  func refusals(path: String, method: String, body: String?, status: Int) async throws {
    let scene = try Scene()
    let server = try StudyServer(scene.plan, scene.store, port: 0)
    let running = Task { try await server.run() }
    defer { running.cancel() }
    let port = try await server.port()
    let answer = try await send(
      path, port: port, method, headers: ["Content-Type": "application/json"], body: body)
    #expect(answer.status == status)
    if method == "POST" {
      let form = try await send(path, port: port, method, headers: ["Content-Type": "text/plain"], body: body)
      #expect(form.status == status)
    }
    let odd = try await send("/reference?row=0", port: port, headers: ["Range": "bytes=-5--7"])
    #expect(odd.status == 200 && odd.body == "0123456789")
    #expect(try scene.store.votes().isEmpty)
    await server.stop()
  }

  @Test("a port that is taken, and an address that is none, are named")
  func addresses() async throws {
    let scene = try Scene()
    #expect(throws: StudyFailure.self) { try StudyServer(scene.plan, scene.store, host: "localhost.", port: 1) }
    let first = try StudyServer(scene.plan, scene.store, port: 0)
    let running = Task { try await first.run() }
    defer { running.cancel() }
    let second = try StudyServer(scene.plan, scene.store, port: try await first.port())
    await #expect(throws: StudyFailure.self) { try await second.run() }
    await first.stop()
  }
}
