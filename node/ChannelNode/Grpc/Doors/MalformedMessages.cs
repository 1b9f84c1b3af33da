using System.Reflection;
using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;

namespace ChannelNode.Grpc;

/// <summary>
/// Has bytes that are no message refused as INVALID_ARGUMENT, for every service. ASP.NET takes what the parser throws for a fault
/// of the service: it answers UNKNOWN and logs a stack, as often as a stranger likes. It reads requests before interceptors see
/// a call, so the methods are made known here, in its place, with a parser that says what is wrong.
/// </summary>
internal static class MalformedMessages
{
    private const string Replaced = "BinderServiceMethodProvider`1";

    public static void RefuseByName(IServiceCollection services)
    {
        ServiceDescriptor theirs = services.Single(it => it.ServiceType == typeof(IServiceMethodProvider<>)
            && it.ImplementationType?.Name == Replaced);
        services.Remove(theirs);
        services.AddSingleton(typeof(IServiceMethodProvider<>), typeof(BoundMethods<>));
    }

    public static RefusalException Refuse(string message, InvalidProtocolBufferException error) =>
        new(Refusal.InvalidArgument, $"the bytes are not a {message}: {error.Message}");

    private static Marshaller<T> Named<T>(Marshaller<T> marshaller) => new(
        marshaller.ContextualSerializer,
        context =>
        {
            try
            {
                return marshaller.ContextualDeserializer(context);
            }
            catch (InvalidProtocolBufferException error)
            {
                throw Refuse(typeof(T).Name, error).ToRpcException();
            }
        });

    /// <summary>The methods of a service that is generated from a proto; a service of another kind has its own provider.</summary>
    private sealed class BoundMethods<TService> : IServiceMethodProvider<TService>
        where TService : class
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<TService> context)
        {
            for (Type? type = typeof(TService); type is not null; type = type.BaseType)
            {
                if (type.GetCustomAttribute<BindServiceMethodAttribute>() is not { } generated) continue;
                MethodInfo bind = generated.BindType.GetMethod(
                    generated.BindMethodName, BindingFlags.Public | BindingFlags.Static, [typeof(ServiceBinderBase), type])!;
                bind.Invoke(null, [new Binder<TService>(context), null]);
                return;
            }
        }
    }

    /// <summary>Is told of each method by the generated code.</summary>
    private sealed class Binder<TService>(ServiceMethodProviderContext<TService> context) : ServiceBinderBase
        where TService : class
    {
        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
            context.AddUnaryMethod(
                Named(method), Metadata(method.Name),
                Open<global::Grpc.AspNetCore.Server.Model.UnaryServerMethod<TService, TRequest, TResponse>>(method.Name));

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
            context.AddServerStreamingMethod(
                Named(method), Metadata(method.Name),
                Open<global::Grpc.AspNetCore.Server.Model.ServerStreamingServerMethod<TService, TRequest, TResponse>>(method.Name));

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
            context.AddClientStreamingMethod(
                Named(method), Metadata(method.Name),
                Open<global::Grpc.AspNetCore.Server.Model.ClientStreamingServerMethod<TService, TRequest, TResponse>>(method.Name));

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
            context.AddDuplexStreamingMethod(
                Named(method), Metadata(method.Name),
                Open<global::Grpc.AspNetCore.Server.Model.DuplexStreamingServerMethod<TService, TRequest, TResponse>>(method.Name));

        private static Method<TRequest, TResponse> Named<TRequest, TResponse>(Method<TRequest, TResponse> method) => new(
            method.Type, method.ServiceName, method.Name, MalformedMessages.Named(method.RequestMarshaller), method.ResponseMarshaller);

        private static IList<object> Metadata(string method) =>
            [.. typeof(TService).GetCustomAttributes(inherit: true), .. Implementation(method).GetCustomAttributes(inherit: true)];

        /// <summary>For any object of the service.</summary>
        private static TDelegate Open<TDelegate>(string method)
            where TDelegate : Delegate => Implementation(method).CreateDelegate<TDelegate>();

        private static MethodInfo Implementation(string method) =>
            typeof(TService).GetMethod(method, BindingFlags.Public | BindingFlags.Instance)!;
    }
}
