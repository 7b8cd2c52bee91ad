// Java's own HttpClient: what it is asked for stands in its arguments, what it saw goes to standard
// output as lines.
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;

public class Client {
  static HttpClient client(String version) {
    return HttpClient.newBuilder().version(HttpClient.Version.valueOf(version)).build();
  }

  static HttpRequest.Builder request(String url) {
    HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url));
    if (url.startsWith("https") && url.contains("demo.test"))
      builder.header("authorization", "Bearer " + System.getenv("DEMO_TOKEN"));
    return builder;
  }

  static void get(String version, String url) throws Exception {
    HttpResponse<String> answer =
        client(version).send(request(url).build(), BodyHandlers.ofString());
    System.out.println(answer.version() + " " + answer.statusCode());
    System.out.println(answer.body());
  }

  static void bodies(String version, String origin) throws Exception {
    HttpClient client = client(version);
    HttpRequest up =
        request(origin + "/up").POST(BodyPublishers.ofByteArray(new byte[3 << 20])).build();
    System.out.println(client.send(up, BodyHandlers.ofString()).body());
    HttpRequest down = request(origin + "/down/3").build();
    System.out.println(client.send(down, BodyHandlers.ofByteArray()).body().length);
    HttpRequest ticks = request(origin + "/ticks/3").build();
    client.send(ticks, BodyHandlers.ofLines())
        .body()
        .filter(line -> !line.isEmpty())
        .forEach(System.out::println);
  }

  static void many(String version, String origin) throws Exception {
    HttpClient client = client(version);
    // One connection first: the client opens one a request as long as it does not know the version.
    client.send(request(origin + "/fixed/1").build(), BodyHandlers.ofString());
    List<CompletableFuture<Integer>> asked = new ArrayList<>();
    for (int size = 0; size < 50; size++) {
      HttpRequest one = request(origin + "/fixed/" + size).build();
      asked.add(client.sendAsync(one, BodyHandlers.ofString())
                    .thenApply(answer -> answer.body().length()));
    }
    int sum = 0;
    for (CompletableFuture<Integer> one : asked) sum += one.get(20, TimeUnit.SECONDS);
    System.out.println(sum);
  }

  static void websocket(String version, String url) throws Exception {
    LinkedBlockingQueue<String> heard = new LinkedBlockingQueue<>();
    WebSocket.Listener listener = new WebSocket.Listener() {
      final StringBuilder text = new StringBuilder();
      int bytes = 0;
      public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
        text.append(data);
        if (last) { heard.add(text.toString()); text.setLength(0); }
        socket.request(1);
        return null;
      }
      public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer data, boolean last) {
        bytes += data.remaining();
        if (last) { heard.add("binary " + bytes); bytes = 0; }
        socket.request(1);
        return null;
      }
      public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        heard.add("closed " + code + " " + reason);
        return null;
      }
      public void onError(WebSocket socket, Throwable error) { heard.add("error " + error); }
    };
    WebSocket socket = client(version).newWebSocketBuilder().buildAsync(URI.create(url), listener)
                           .get(20, TimeUnit.SECONDS);
    socket.sendText("in two ", false).join();
    socket.sendText("pieces", true).join();
    System.out.println(heard.poll(10, TimeUnit.SECONDS));
    socket.sendBinary(ByteBuffer.allocate(100000), true).join();
    System.out.println(heard.poll(10, TimeUnit.SECONDS));
    socket.sendText("close", true).join();
    System.out.println(heard.poll(10, TimeUnit.SECONDS));
  }

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "get" -> get(arguments[1], arguments[2]);
      case "bodies" -> bodies(arguments[1], arguments[2]);
      case "many" -> many(arguments[1], arguments[2]);
      case "websocket" -> websocket(arguments[1], arguments[2]);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
    System.exit(0);
  }
}
